"""Who must be told, and how: reminders owed, the ladder's due steps, texts, gateways, the worker. Knows no routes."""
