"""The protocol as one value: its shape (definition), how it is read (load), judged (check) and answered (forms)."""
