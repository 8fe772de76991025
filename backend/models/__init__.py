"""The tables, one file a subject area. `backend.models.all` imports every one of them."""
