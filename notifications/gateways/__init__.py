"""One module a provider, all shaped like `base.Gateway`; `choose` picks by the settings. Only here is one known."""
