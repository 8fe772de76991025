"""Every table, imported once, for migrations, guards and tests."""

from backend.models import (
    calendar,
    capture,
    clinical,
    conduct,
    findings,
    outbox,
    people,
    record,
    safety,
    study,
    subject,
)
from backend.models.base import Base

TABLES = Base.metadata.tables
MODULES = (calendar, capture, clinical, conduct, findings, outbox, people, record, safety, study, subject)
