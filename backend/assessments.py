"""Scored forms of visits: recorded by revision, scored from what is stored, signed in two parts by their rater.

A form's answers are what people said; scores, conflicts with laboratory values and what is missing are computed each
time they are read. Only a changed answer voids a signature; a late laboratory value raises a query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import assessment_checks, audit, clock, dossiers, queries, records, repeats, visits
from backend.analysis import prefill, response
from backend.analysis.prefill import Difference
from backend.analysis.response import Scored
from backend.analysis.selection import Value
from backend.casebook import put_signature
from backend.db import db
from backend.dossiers import Dossier, Slot
from backend.errors import Problem, invalid
from backend.instruments import astct, bilag2004
from backend.models.calendar import Occurrence
from backend.models.conduct import Signature
from backend.models.findings import Assessment
from backend.models.people import Account
from backend.models.subject import Subject
from backend.strictjson import canonical

# Form → the assessment of the study that it answers.
FORMS: Mapping[str, str] = {
    "sledai2k": "sledai2k",
    "pga": "pga",
    "bilag2004": "bilag2004",
    "treatment": "medications",
    "crs": "crs",
    "icans": "icans",
}
LUPUS = ("sledai2k", "pga", "bilag2004")
VISIT, CLINICAL, COMPLETE = "visit", "clinical", "complete"
PARTS = (CLINICAL, COMPLETE)


@dataclass(frozen=True, slots=True)
class Form:
    """One instrument of a visit: the revision that holds (None: not filled in), its score, what to look at.

    `proposed`: what the laboratory says of it (`analysis.prefill`), never scored; `differs`: where it was entered
    otherwise.
    """

    instrument: str
    row: Assessment | None
    score: Mapping[str, Any] | None
    warnings: tuple[str, ...]
    proposed: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    differs: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature under a visit, and the forms changed since, which void it."""

    row: Signature
    voided_by: tuple[Assessment, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything of one visit: forms, laboratory values chosen for it, what is missing, signatures."""

    forms: tuple[Form, ...]
    labs: Mapping[str, Value]
    missing_forms: tuple[str, ...]
    missing_values: tuple[str, ...]
    asked: tuple[str, ...]
    signatures: tuple[Signed, ...]


def record(
    visit_id: UUID, instrument: str, content: Mapping[str, Any], by: Account
) -> tuple[Assessment | None, Form, bool]:
    """Write one revision of a form, or with `preview` only score it: (row, the form, whether something was written).

    `content`: revision, answers, rater_id, assessed_at, reason, preview; unless said whoever enters is the rater, now.
    The revision is the next one; the last one saying nothing else is a repeat; 412 for any other.
    """
    visit = visits.visit_of(visit_id)
    if content.get("preview"):
        subject = db.session.get_one(Subject, visit.subject_id)
        return None, _preview(subject, visit_id, instrument, content), False
    subject = records.open_subject(visit.subject_id)
    records.refuse_frozen(visit_id)
    last = _last(visit_id, instrument)
    if last is not None and content["revision"] == last.revision and _says_no_else(last, content):
        return last, _form(subject, visit_id, instrument), False
    if content["revision"] != (last.revision if last else 0) + 1:
        raise Problem("stale", f"the last revision is {last.revision if last else 0}")
    said = {
        "answers": content["answers"],
        "rater_id": content.get("rater_id") or by.id,
        "assessed_at": content.get("assessed_at") or clock.now(),
    }
    signed = last is not None and any(instrument in one.content for one in _signatures(visit_id))
    asked = {**content, **said, "rater_said": content.get("rater_id") is not None}
    if faults := list(assessment_checks.faults_of(subject, asked, changes_signed=signed)):
        raise invalid(*faults)
    row = Assessment(
        subject_id=subject.id,
        visit_id=visit_id,
        visit_key=visit.key,
        instrument=instrument,
        revision=content["revision"],
        reason=content.get("reason"),
        recorded_at=clock.now(),
        recorded_by=by.id,
        **said,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "assessment:corrected" if last else "assessment:recorded",
        "assessment",
        row.id,
        subject_id=subject.id,
        old={"revision": last.revision, "answers": last.answers} if last else None,
        new={"visit_id": visit_id, "instrument": instrument, "revision": row.revision, **said},
        reason=row.reason,
    )
    return row, _form(subject, visit_id, instrument), True


def _says_no_else(row: Assessment, content: Mapping[str, Any]) -> bool:
    """Whether a request repeats what is stored; what it left to its defaults was settled when it first came."""
    given = {name: content[name] for name in ("answers", "rater_id", "assessed_at") if content.get(name) is not None}
    return canonical({name: getattr(row, name) for name in given}) == canonical(given)


def _last(visit_id: UUID, instrument: str) -> Assessment | None:
    rows = sa.select(Assessment).where(Assessment.visit_id == visit_id, Assessment.instrument == instrument)
    return db.session.scalars(rows.order_by(Assessment.revision.desc()).limit(1)).first()


def revisions(visit_id: UUID, instrument: str) -> list[Assessment]:
    """Every revision of a form, oldest first."""
    rows = sa.select(Assessment).where(Assessment.visit_id == visit_id, Assessment.instrument == instrument)
    return list(db.session.scalars(rows.order_by(Assessment.revision)))


# --- Reading --------------------------------------------------------------------------------------------------


def sheet(subject: Subject, visit_id: UUID) -> Sheet:
    """The whole visit as it stands."""
    dossier = dossiers.dossier_of(subject)
    slot = dossier.slot(visit_id)
    visit = dossiers.visit_of(dossier, slot)
    at = visit.at if visit else (slot.opens_at or clock.now())
    assessments = set(dossier.study.visit(slot.key).assessments)
    wanted = [name for name in FORMS if FORMS[name] in assessments or name in dossier.assessments.get(visit_id, {})]
    labs = dossiers.labs_of(dossier, slot, at)
    forms = tuple(_scored_form(dossier, slot, name) for name in wanted)
    return Sheet(
        forms=forms,
        labs=labs,
        missing_forms=tuple(form.instrument for form in forms if form.row is None),
        missing_values=missing_values(dossier, slot, labs),
        asked=dossiers.asked_about(dossier, at),
        signatures=signatures(visit_id),
    )


def missing_values(dossier: Dossier, slot: Slot, labs: Mapping[str, Value]) -> tuple[str, ...]:
    """Measurements that the visit's assessments stand for and that are neither there nor recorded as not done."""
    measures: Mapping[str, Sequence[str]] = dossier.study.analysis.get("assessment_measures", {})
    wanted = [code for name in dossier.study.visit(slot.key).assessments for code in measures.get(name, ())]
    waived = {
        row.code
        for row in dossier.not_done
        if slot.opens_at is not None
        and slot.closes_at is not None
        and slot.opens_at <= row.collected_at < slot.closes_at
    }
    return tuple(code for code in dict.fromkeys(wanted) if code not in labs and code not in waived)


def _form(subject: Subject, visit_id: UUID, instrument: str) -> Form:
    dossier = dossiers.dossier_of(subject)
    return _scored_form(dossier, dossier.slot(visit_id), instrument)


def _preview(subject: Subject, visit_id: UUID, instrument: str, content: Mapping[str, Any]) -> Form:
    """The score that storing these answers would show, nothing stored."""
    dossier = dossiers.dossier_of(subject)
    at = content.get("assessed_at") or clock.now()
    return _scored_form(dossier, dossier.slot(visit_id), instrument, content["answers"], at)


def _scored_form(
    dossier: Dossier,
    slot: Slot,
    instrument: str,
    instead: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> Form:
    """`instead`: answers assessed at `at`, in place of what is stored."""
    row = dossier.assessments.get(slot.id, {}).get(instrument)
    answers = instead if instead is not None else row.answers if row is not None else None
    if answers is None:
        return Form(instrument, None, None, (), _proposed(dossier, slot, instrument))
    visit = dossiers.visit_of(dossier, slot, {instrument: answers} if instead is not None else None, at)
    assert visit is not None  # it has answers, and so a time
    line = sorted([*(one for one in dossier.visits if one.id != slot.id), visit], key=lambda one: (one.at, one.key))
    scored = next(one for one in response.score_all(line, {}) if one.visit.id == slot.id)
    score = score_of(instrument, scored, answers, dossier)
    proposals = _proposed(dossier, slot, instrument)
    differs = tuple(prefill.differences(answers, proposals))
    warnings = assessment_checks.warnings_of(dossier, slot, row) if row is not None else ()
    return Form(instrument, row, score, warnings, proposals, differs)


def _proposed(dossier: Dossier, slot: Slot, instrument: str) -> Mapping[str, Mapping[str, Decimal]]:
    if instrument != "bilag2004":
        return {}
    visit = dossiers.visit_of(dossier, slot)
    at = visit.at if visit else (slot.opens_at or clock.now())
    units = {code: measure.unit for code, measure in dossier.study.measures.items()}
    return prefill.proposed(dossiers.labs_of(dossier, slot, at), units)


def score_of(instrument: str, scored: Scored, answers: Mapping[str, Any], dossier: Dossier) -> Mapping[str, Any]:
    """The score of one form as its instrument's contract has it, with what the study says of it."""
    if instrument == "sledai2k":
        window = dossier.study.analysis.get("sledai2k_window_days", 30)
        found: dict[str, Any] = asdict(scored.sledai) if scored.sledai else {}
        return {**found, "open_questions": scored.open_questions, "window_days": window}
    if instrument == "pga":
        return {"pga": scored.pga}
    if instrument == "bilag2004" and scored.bilag is not None:
        grades = {system: graded.grade for system, graded in scored.bilag.items()}
        return {
            "systems": {system: asdict(graded) for system, graded in scored.bilag.items()},
            "registration_view": bilag2004.registration_view(grades, dossier.registered_systems),
            **asdict(response.bilag_total(scored)),
        }
    if instrument in ("crs", "icans"):
        return asdict(getattr(astct, instrument)(**answers))
    return asdict(scored.visit.treatment)


# --- Signatures -----------------------------------------------------------------------------------------------


def _signatures(visit_id: UUID) -> list[Signature]:
    rows = sa.select(Signature).where(Signature.visit_id == visit_id)
    return list(db.session.scalars(rows.order_by(Signature.audit_seq, Signature.at)))


def signatures(visit_id: UUID) -> tuple[Signed, ...]:
    """Every signature under the visit, oldest first, each with the changed forms that void it."""
    signed = _signatures(visit_id)
    if not signed:
        return ()
    rows = db.session.scalars(
        sa.select(Assessment)
        .where(Assessment.visit_id == visit_id)
        .order_by(Assessment.recorded_at, Assessment.revision)
    ).all()
    return tuple(
        Signed(one, tuple(row for row in rows if row.revision > one.content.get(row.instrument, row.revision)))
        for one in signed
    )


def sign(visit_id: UUID, content: Mapping[str, Any], by: Account) -> tuple[Signed, bool]:
    """Sign a visit's part as it stands: id, meaning, part. The clinical part needs every clinical form the visit asks
    for, and none of them empty; the complete one that part signed and unchanged, the treatment reviewed, and every
    laboratory value there or recorded as not done."""
    visit = visits.visit_of(visit_id)
    subject = records.open_subject(visit.subject_id)
    said = {"visit_id": visit_id, "part": content["part"], "meaning": content["meaning"], "signed_by": by.id}
    stored = repeats.stored(Signature, content["id"], **said)
    if stored is not None:
        return next(one for one in signatures(visit_id) if one.row.id == stored.id), False
    records.refuse_frozen(visit_id)
    whole = sheet(subject, visit_id)
    _refuse_unready(whole, content["part"])
    signed = {form.instrument: form.row.revision for form in whole.forms if form.row is not None}
    told = {"visit_id": visit_id, "part": content["part"], "meaning": content["meaning"], "content": signed}
    row = put_signature(subject.id, content["id"], by, scope=VISIT, **told)
    audit.record(
        "visit:signed",
        "signature",
        row.id,
        subject_id=subject.id,
        new={"visit_id": visit_id, "part": row.part, "meaning": row.meaning, "forms": row.content},
    )
    return Signed(row, ()), True


def _refuse_unready(whole: Sheet, part: str) -> None:
    rows = {form.instrument: form.row for form in whole.forms if form.row is not None}
    if not rows:
        raise Problem("conflict", "nothing of this visit is recorded yet")
    lacking = [name for name in whole.missing_forms if name in LUPUS]
    lacking += [name for name in LUPUS if name in rows and assessment_checks.is_empty(name, rows[name].answers)]
    if part == COMPLETE and not lacking:
        if not any(one.row.part == CLINICAL and not one.voided_by for one in whole.signatures):
            raise Problem("conflict", "the clinical part is not signed, or was changed since")
        lacking = list(whole.missing_forms)
    if lacking:
        raise Problem("conflict", f"not filled in yet: {', '.join(lacking)}")
    if part == CLINICAL:
        return
    if "treatment" in rows and not rows["treatment"].answers.get("medications_reviewed"):
        raise Problem("conflict", "the medications of this visit are not reviewed yet")
    if whole.missing_values:
        raise Problem("conflict", f"laboratory values are missing: {', '.join(whole.missing_values)}")


def question_late_values(subject: Subject, rows: Sequence[Any], by: UUID) -> None:
    """A value that comes for a visit whose complete part is signed raises a query; it voids nothing."""
    signed = db.session.scalars(
        sa.select(Signature).where(Signature.subject_id == subject.id, Signature.part == COMPLETE)
    ).all()
    if not signed:
        return
    visits_signed = db.session.scalars(
        sa.select(Occurrence).where(Occurrence.id.in_({one.visit_id for one in signed}))
    ).all()
    dossier = dossiers.dossier_of(subject)
    for visit in visits_signed:
        slot = dossier.slot(visit.id)
        for row in rows:
            if slot.opens_at and slot.closes_at and slot.opens_at <= row.collected_at < slot.closes_at:
                question = {
                    "id": uuid4(),
                    "entity": "visit",
                    "entity_id": visit.id,
                    "field": row.code,
                    "question": f"{row.code} came after the visit was signed; does it change what was found?",
                }
                queries.open_query(subject.id, question, by)
