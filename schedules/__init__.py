"""Ground floor: the study definition as data, and everything about *when*. Pure: no Flask, no SQLAlchemy, no clock."""
