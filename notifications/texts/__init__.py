"""Every text that leaves the house, by key, in both languages (catalogue), and what it costs (segments)."""
