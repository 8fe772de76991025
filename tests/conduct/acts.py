"""Every act of the clinic that changes a record, ready to be sent; and people whose delegations are taken away.

act.by(stage, house.nurse)     sends it with a fresh id and good content, so that it may be sent again
fill(stage)                    gives the staged subject one of everything a correction can be about
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from house import House, Person, entry_body, iso, subject_body
from werkzeug.test import TestResponse

from backend.db import db, transaction
from backend.models.conduct import Delegation
from backend.models.people import AccountSite
from backend.models.record import AuditEvent
from tests.contract.stage import RASH, Stage, problem_of, send

CLINIC = ("nurse", "doctor", "chief")
ANY_VERSION = {"If-Match": "*"}


@dataclass(frozen=True)
class Act:
    """`action`: what it is in the policy. `path` names ids of the stage."""

    name: str
    action: str
    method: str
    path: str
    body: Callable[[Stage], dict[str, Any]]
    confirmed: bool = False

    def by(self, stage: Stage, who: Person) -> TestResponse:
        at = self.path.format(**stage.ids)
        headers = {**ANY_VERSION, **(stage.house.confirmed(who) if self.confirmed else {})}
        return send(stage.house, who, self.method, at, self.body(stage), headers)


def fresh() -> str:
    return str(uuid4())


def ago(stage: Stage, **delta: float) -> str:
    return str(iso(stage.house.now - timedelta(**delta)))


def measurement(stage: Stage, **over: Any) -> dict[str, Any]:
    body = {"id": fresh(), "code": "crp", "value": 3, "unit": "mg/L", "source": "ward", "collected_at": ago(stage)}
    return {**body, **over}


def medication(stage: Stage, **over: Any) -> dict[str, Any]:
    return {"id": fresh(), "drug": "prednisone", "dose_mg": 10, "started_at": ago(stage, days=1), **over}


def product(stage: Stage, **over: Any) -> dict[str, Any]:
    body = {"lot": "LOT-7", "car_t_cells": 9_000_000, "weight_kg": 60, "release_tests": ["release_sterility"]}
    return {**body, "started_at": ago(stage, days=6), "reason": "read from the certificate", **over}


def excuse(stage: Stage) -> dict[str, Any]:
    return {"id": fresh(), "kind": "device_lost", "since": ago(stage, hours=2), "reason": "left on a train"}


def consent(stage: Stage) -> dict[str, Any]:
    return {"id": fresh(), "kind": "trial", "text_version": "2.0", "given_at": ago(stage), "given_by": "subject"}


def telephone(stage: Stage, **over: Any) -> dict[str, Any]:
    """A report typed in by staff."""
    body = entry_body(stage.house, stage.patient)
    return {**{k: v for k, v in body.items() if k != "practice"}, "id": fresh(), "source": "telephone", **over}


def tonight(stage: Stage) -> dict[str, Any]:
    return {"id": fresh(), "kind": "admission", "planned_at": ago(stage, hours=-6)}


def unplanned(stage: Stage) -> dict[str, Any]:
    return {"id": fresh(), "at": ago(stage, hours=1), "reason": "came with a rash"}


def well(stage: Stage) -> dict[str, Any]:
    return dict(entry_body(stage.house, stage.patient)["answers"])


def global_assessment(stage: Stage) -> dict[str, Any]:
    """The next revision of a visit's PGA, other than the last."""
    forms = stage.house.monitor.get(f"/visits/{stage.ids['visit_id']}/forms").json["forms"]
    revision = 1 + sum(form["revision"] for form in forms if form["instrument"] == "pga")
    answers = {"value": revision / 10, "scale": "0-3"}
    rater = {"rater_id": str(stage.house.doctor.id), "assessed_at": ago(stage, hours=1), "reason": "marked anew"}
    return {"revision": revision, "answers": answers, **rater}


S = "/subjects/{subject_id}"
RECORD = (
    Act("event", "event:record", "POST", f"{S}/events", tonight),
    Act(
        "event correction",
        "event:correct",
        "PATCH",
        f"{S}/events/{{event_id}}",
        lambda stage: {"actual_at": ago(stage, days=6, hours=1), "reason": "mistyped"},
    ),
    Act(
        "appointment",
        "visit:plan",
        "PUT",
        "/visits/{later_id}/appointment",
        lambda stage: {"at": ago(stage, days=-54), "reason": "agreed by phone"},
    ),
    Act(
        "attendance",
        "visit:plan",
        "PUT",
        "/visits/{visit_id}/attendance",
        lambda stage: {"at": ago(stage, hours=1), "outcome": "attended", "reason": "signed the list"},
    ),
    Act("unscheduled visit", "visit:plan", "POST", f"{S}/visits", unplanned),
    Act("entry on behalf", "entry:on_behalf", "POST", f"{S}/entries", telephone),
    Act(
        "entry correction",
        "entry:correct",
        "PATCH",
        "/entries/{entry_id}",
        lambda stage: {"answers": well(stage), "reason": "misheard"},
    ),
    Act("measurement", "measurement:record", "POST", f"{S}/measurements", measurement),
    Act(
        "measurement correction",
        "measurement:record",
        "POST",
        f"{S}/measurements",
        lambda stage: measurement(stage, value=4, corrects_id=stage.ids["measurement_id"], reason="mistyped"),
    ),
    Act("medication", "medication:record", "POST", f"{S}/medications", medication),
    Act(
        "medication correction",
        "medication:record",
        "POST",
        f"{S}/medications",
        lambda stage: medication(stage, dose_mg=5, corrects_id=stage.ids["medication_id"], reason="reduced"),
    ),
    Act("product", "product:record", "PUT", f"{S}/product", product),
    Act("consent", "consent:record", "POST", f"{S}/consents", consent),
    Act("excuse", "excuse:record", "POST", f"{S}/excuses", excuse),
    Act(
        "excuse change",
        "excuse:record",
        "PATCH",
        f"{S}/excuses/{{excuse_id}}",
        lambda stage: {"until": ago(stage), "reason": "found again"},
    ),
    Act("dose level", "subject:change", "PATCH", S, lambda stage: {"dose_level": "1", "reason": "confirmed"}),
    Act("organs", "subject:change", "PATCH", S, lambda stage: {"prior_organs": ["skin"], "reason": "asked again"}),
    Act("zone", "subject:change", "PATCH", S, lambda stage: {"time_zone": "Asia/Urumqi", "reason": "moved"}),
    Act(
        "adverse event",
        "adverse_event:record",
        "POST",
        f"{S}/adverse-events",
        lambda stage: {"id": fresh(), **RASH, "onset_at": ago(stage)},
    ),
    Act(
        "adverse event correction",
        "adverse_event:record",
        "PATCH",
        "/adverse-events/{adverse_event_id}",
        lambda stage: {"grade": 3, "reason": "spread"},
    ),
    Act("assessment", "assessment:record", "PUT", "/visits/{visit_id}/forms/pga", global_assessment),
)
OTHER_TASKS = (
    Act(
        "enrolment",
        "subject:enrol",
        "POST",
        "/subjects",
        lambda stage: subject_body(stage.house, number=fresh()[:8]),
    ),
    Act("code", "activation:issue", "POST", f"{S}/activation-codes", lambda stage: {"for": "patient"}),
    Act("carer out", "activation:issue", "POST", f"{S}/carers/{{account_id}}/revocation", lambda s: {"reason": "gone"}),
    Act("lost phone", "device:end", "POST", f"{S}/devices/revocation", lambda stage: {"reason": "lost"}),
    Act("answer", "query:answer", "POST", "/queries/{query_id}/answers", lambda stage: {"text": "as in the sheet"}),
)
GRADE = Act(
    "grade",
    "episode:grade",
    "POST",
    "/episodes/{episode_id}/close",
    lambda stage: {"outcome": "crs", "crs_grade": 1, "note": "settled"},
)
SIGN = Act(
    "visit signature",
    "assessment:sign",
    "POST",
    "/visits/{visit_id}/signature",
    lambda stage: {"id": fresh(), "part": "clinical", "meaning": "as I found it"},
    confirmed=True,
)


def fill(stage: Stage) -> Stage:
    """One of everything: measurement, medication, product, excuse, unscheduled visit, query, PGA; and a far visit."""
    nurse, at = stage.house.nurse, stage.at
    stage.ids["measurement_id"] = done(nurse.post(f"{at}/measurements", measurement(stage)))["items"][0]["id"]
    stage.ids["medication_id"] = done(nurse.post(f"{at}/medications", medication(stage)))["items"][0]["id"]
    done(nurse.put(f"{at}/product", product(stage), **ANY_VERSION))
    stage.ids["excuse_id"] = done(nurse.post(f"{at}/excuses", excuse(stage)))["id"]
    stage.ids["unscheduled_id"] = done(nurse.post(f"{at}/visits", unplanned(stage)))["id"]
    stage.ids["later_id"] = visit(stage, "V15")["id"]
    stage.ids["query_id"] = done(ask(stage))["id"]
    done(nurse.put(f"/visits/{stage.ids['visit_id']}/forms/pga", global_assessment(stage)))
    return stage


def visit(stage: Stage, key: str) -> dict[str, Any]:
    items = stage.house.nurse.get(f"{stage.at}/calendar").json["items"]
    return next(one for one in items if one["key"] == key)


def ask(stage: Stage, who: Person | None = None, **over: Any) -> TestResponse:
    """Open a query, about the subject unless said otherwise."""
    about = {"entity": "subject", "entity_id": stage.subject["id"], "question": "is this right?"}
    return (who or stage.house.monitor).post(f"{stage.at}/queries", {"id": fresh(), **about, **over})


def done(answer: TestResponse, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in (statuses or (200, 201)), answer.text
    return dict(answer.json)


# --- closing, with password and one-time code -------------------------------------------------------------------


def closing(closed: bool, **over: Any) -> dict[str, Any]:
    return {"id": fresh(), "closed": closed, "reason": "reviewed" if closed else "a letter came", **over}


def lock(stage: Stage, closed: bool = True, *, whole: bool = False, **over: Any) -> TestResponse:
    """Lock or unlock the staged subject's record, or the whole database, as the principal investigator."""
    house = stage.house
    path = "/database/lock" if whole else f"{stage.at}/lock"
    return house.chief.post(path, closing(closed, **over), **house.confirmed(house.chief))


# --- delegation ---------------------------------------------------------------------------------------------------


def bare(house: House, *people: Person) -> None:
    """End every delegation these people hold."""
    with house.app.app_context(), transaction():
        mine = Delegation.account_id.in_([person.id for person in people])
        db.session.execute(sa.update(Delegation).where(mine).values(ended_at=house.now, ended_why="for this test"))


def also_works_at(house: House, site_id: UUID, *people: Person) -> None:
    with house.app.app_context(), transaction():
        db.session.add_all(AccountSite(account_id=person.id, site_id=site_id) for person in people)


def asked_for(house: House, person: Person, task: str, **over: Any) -> dict[str, Any]:
    return {
        "id": fresh(),
        "site_id": str(house.site_id),
        "account_id": str(person.id),
        "task": task,
        "valid_from": "2026-03-01",
        "valid_to": None,
        **over,
    }


def approved(house: House, delegation: dict[str, Any]) -> dict[str, Any]:
    path = f"/delegations/{delegation['id']}/approval"
    return done(house.chief.call("POST", path, headers=house.confirmed(house.chief)), 200)


def delegate(house: House, person: Person, tasks: Iterable[str], **over: Any) -> None:
    """Ask for these tasks and approve them, through the doors."""
    for task in tasks:
        approved(house, done(house.nurse.post("/delegations", asked_for(house, person, task, **over)), 201))


# --- what must have been kept ---------------------------------------------------------------------------------------


def trail(house: House, verb: str, entity_id: Any = None) -> list[AuditEvent]:
    """The acts of this kind (on this thing), in the order they were done."""
    wanted = sa.select(AuditEvent).where(AuditEvent.verb == verb).order_by(AuditEvent.at, AuditEvent.seq)
    return [row for row in house.rows(wanted) if entity_id is None or row.entity_id == str(entity_id)]


def is_refused(answer: TestResponse, code: str, what: str = "") -> dict[str, Any]:
    """A refusal of one of the kinds that this folder is about."""
    status = {"not_delegated": 403, "forbidden": 403, "confirmation_required": 403, "stale": 412, "not_found": 404}
    status |= {"if_match_required": 428}
    assert answer.status_code == status.get(code, 409), (what, answer.text)
    return problem_of(answer, status.get(code, 409), code)
