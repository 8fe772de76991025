"""A small made-up trial for `DAYMARK_MODE=demo`: no real person, nothing a live trial uses."""
