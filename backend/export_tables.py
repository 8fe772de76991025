"""The tables of the dataset: which there are, in which columns, and what those hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend import export_rows
from backend.export_rows import EVENT, TRAIL, Cells, Scope
from backend.models.clinical import Measurement, Medication, Product
from backend.models.conduct import Signature
from backend.models.findings import AdverseEvent, Assessment
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
_MEASUREMENT = (
    "id",
    "code",
    "value",
    "qualifier",
    "unit",
    "not_done",
    "lln",
    "uln",
    "method",
    "given_value",
    "given_unit",
    "laboratory",
    "source",
    "collected_at",
    "recorded_at",
    "corrects_id",
    "reason",
)
_MEDICATION = (
    "id",
    "drug",
    "dose_mg",
    "times_per_day",
    "every_days",
    "route",
    "rescue",
    "started_at",
    "stopped_at",
    "indication",
    "recorded_at",
    "corrects_id",
    "reason",
)
_ASSESSMENT = (
    "id",
    "visit_id",
    "visit_key",
    "instrument",
    "revision",
    "answers",
    "rater_id",
    "assessed_at",
    "reason",
    "recorded_at",
)
_FACT = ("event_id", "revision", "kind", "planned_at", "actual_at", "scope", "place", "reason", "void", "recorded_at")
_SIGNAL = ("id", "episode_id", "seq", "rule", "rule_version", "level", "organ", "inputs", "thresholds", "at")
_PRODUCT = (
    "revision",
    "lot",
    "car_t_cells",
    "viability_pct",
    "weight_kg",
    "volume_ml",
    "given_ml",
    "started_at",
    "stopped_at",
    "release_tests",
    "recorded_at",
)
_CONSENT = ("id", "kind", "text_version", "given_at", "given_by", "recorded_at")
_SIGNATURE = ("id", "scope", "visit_id", "part", "meaning", "content", "audit_seq", "audit_hash", "signed_by", "at")


def _simple(
    name: str, about: str, table: Any, names: Sequence[str], order: Sequence[str], recorded: str = "recorded_at"
) -> Table:
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
    _simple(
        "events",
        "dated facts of the treatment, every revision",
        SubjectEvent,
        _FACT,
        ("recorded_at", "event_id", "revision"),
    ),
    _simple("consents", "consents by version of the text", Consent, _CONSENT, ("given_at", "id")),
    _simple("products", "the product form, every revision", Product, _PRODUCT, ("revision",)),
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
    _simple(
        "assessments",
        "answers of scored forms, every revision",
        Assessment,
        _ASSESSMENT,
        ("assessed_at", "visit_id", "instrument", "revision"),
    ),
    Table(
        "scores",
        "scores with their components, computed from what stands",
        _plain((*_SUBJECT, "visit_id", "visit_key", "day", "at", "instrument", "component", "value")),
        export_rows.scores,
    ),
    _simple(
        "measurements", "values, corrected ones too", Measurement, _MEASUREMENT, ("collected_at", "recorded_at", "id")
    ),
    _simple(
        "medications", "regimens, corrected ones too", Medication, _MEDICATION, ("started_at", "recorded_at", "id")
    ),
    Table("adverse_events", "adverse events as they stand", _plain(EVENT), export_rows.events),
    _simple(
        "adverse_event_revisions",
        "every revision of every adverse event",
        AdverseEvent,
        ("event_id", "void", "reason", *EVENT[2:]),
        ("onset_at", "event_id", "revision"),
    ),
    Table(
        "episodes",
        "episodes of possible danger",
        _plain(
            (*_SUBJECT, "episode_id", "page_number", "opened_at", "closed_at", "outcome", "crs_grade", "icans_grade")
        ),
        export_rows.episodes,
    ),
    _simple("signals", "findings of the safety rules", Signal, _SIGNAL, ("seq",), "at"),
    _simple("signatures", "signatures of visits and casebooks", Signature, _SIGNATURE, ("at", "id"), "at"),
    Table(
        "outcomes",
        "every registered outcome of each subject",
        _plain(
            (
                *_SUBJECT,
                "dose_level",
                "outcome",
                "measure",
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
            imputed="responses: unknown counted as none, once nothing more can come",
        ),
        export_rows.outcome_rows,
    ),
    Table("audit_trail", "every act in the subjects' chains, with its hash", _plain(TRAIL), export_rows.trail),
)
