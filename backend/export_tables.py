"""The tables of the dataset: which there are, in which columns, and what those hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend import export_rows
from backend.export_rows import EVENT, TRAIL, Cells, Scope
from backend.models.clinical import Measurement, Medication, Product
from backend.models.conduct import Signature
from backend.models.findings import AdverseEvent, Assessment, Reconciliation
from backend.models.safety import Signal
from backend.models.subject import Consent, SubjectEvent


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: name → what it holds. Every table begins with the subject's number."""

    name: str
    about: str
    columns: Mapping[str, str]
    rows: Callable[[Scope], Iterator[Cells]]


def _plain(names: Sequence[str], **said: str) -> Mapping[str, str]:
    return {name: said.get(name, name.replace("_", " ")) for name in names}


_SUBJECT = ("subject",)


def _whole(name: str, about: str, table: Any, order: Sequence[str], recorded: str = "recorded_at") -> Table:
    """A table with every column it has, but for whose and by whom."""
    names = [one.key for one in table.__table__.columns if one.key not in ("subject_id", "recorded_by")]
    return Table(name, about, _plain((*_SUBJECT, *names)), export_rows.stored(table, names, order, recorded))


TABLES: tuple[Table, ...] = (
    Table(
        "subjects",
        "one row a subject",
        _plain(
            (
                *_SUBJECT,
                "site",
                "subject_id",
                "dose_level",
                "year_of_birth",
                "enrolled_at",
                "treated_at",
                "infused_at",
                "ended_as",
                "ended_at",
                "prior_organs",
                "study_sha256",
            ),
            treated_at="beginning of lymphodepletion, or infusion where there was none: baselines lie before it",
        ),
        export_rows.subjects,
    ),
    _whole(
        "events",
        "dated facts of the treatment, every revision",
        SubjectEvent,
        ("recorded_at", "event_id", "revision"),
    ),
    _whole("consents", "consents by version of the text", Consent, ("given_at", "id")),
    _whole("products", "the product form, every revision", Product, ("revision",)),
    Table(
        "visits",
        "the follow-up calendar's visits",
        _plain(
            (
                *_SUBJECT,
                "visit_id",
                "visit_key",
                "target_on",
                "earliest_on",
                "latest_on",
                "appointment_at",
                "attended_at",
                "missed",
                "excused",
            )
        ),
        export_rows.visits,
    ),
    Table(
        "entries",
        "reports of patients, carers and ward, every version",
        _plain(
            (
                *_SUBJECT,
                "entry_id",
                "revision",
                "form",
                "source",
                "reporter",
                "measured_at",
                "entered_at",
                "received_at",
                "effective_at",
                "skew_s",
                "time_zone",
                "answers",
                "score",
                "reason",
            ),
            effective_at="measured_at less the measured skew of the device's clock",
        ),
        export_rows.entries,
    ),
    _whole(
        "assessments",
        "answers of scored forms, every revision",
        Assessment,
        ("assessed_at", "visit_id", "instrument", "revision"),
    ),
    Table(
        "scores",
        "scores with their components, computed from what stands",
        _plain((*_SUBJECT, "visit_id", "visit_key", "day", "at", "instrument", "component", "value")),
        export_rows.scores,
    ),
    _whole("measurements", "values, corrected ones too", Measurement, ("collected_at", "recorded_at", "id")),
    _whole("medications", "regimens, corrected ones too", Medication, ("started_at", "recorded_at", "id")),
    Table("adverse_events", "adverse events as they stand", _plain(EVENT), export_rows.events),
    _whole(
        "adverse_event_revisions",
        "every revision of every adverse event",
        AdverseEvent,
        ("onset_at", "event_id", "revision"),
    ),
    _whole(
        "reconciliation",
        "what people decided about possible adverse events, every decision",
        Reconciliation,
        ("seq",),
    ),
    Table(
        "episodes",
        "episodes of possible danger",
        _plain(
            (*_SUBJECT, "episode_id", "page_number", "opened_at", "closed_at", "outcome", "crs_grade", "icans_grade")
        ),
        export_rows.episodes,
    ),
    _whole("signals", "findings of the safety rules", Signal, ("seq",), "at"),
    _whole("signatures", "signatures of visits and casebooks", Signature, ("at", "id"), "at"),
    Table(
        "outcomes",
        "every registered outcome of each subject",
        _plain(
            (
                *_SUBJECT,
                "dose_level",
                "outcome",
                "measure",
                "primary",
                "time_point",
                "visit_id",
                "day",
                "status",
                "value",
                "imputed",
                "detail",
                "reasons",
                "inputs",
            ),
            primary="false for another reading that stands beside the outcome",
            imputed="responses: unknown counted as none, once nothing more can come",
        ),
        export_rows.outcome_rows,
    ),
    Table("audit_trail", "every act in the subjects' chains, with its hash", _plain(TRAIL), export_rows.trail),
)
