"""The doors: routes, schemas, tokens, problems. No rules of their own."""
