"""Danger: the pure rules, the context they read, the episodes they open, the watch over silence."""
