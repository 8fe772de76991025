"""Requests that nobody thought of: schemathesis draws them from the published document, good and bad, in process.

Whoever asks, no answer may be a 5xx, a status or content type that the document does not name, or of another
shape than it says; and what is not as the document wants it must be refused. The draw is the same in every run.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from house import WELL
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as conformance

from backend import agenda, audit
from backend.db import transaction
from tests.contract.stage import Stage

CHECKS = [
    not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
    conformance.negative_data_rejection,
]
"""Not among them, and why:
positive_data_acceptance: what a body must be beyond its shape (a unit, an order of events) is the study's to say
missing_required_header: a missing If-Match is 428 here, which the check does not know; test_bad_input has it
ignored_auth: it sends every request twice; test_roles tries every door without a sign-in
use_after_free, ensure_resource_availability: they need links between operations; ids come from the client here
response_headers_conformance: the document states no headers of answers
unsupported_method, allow_header_conformance: only of probes that are not drawn; test_error_shape has 405 and Allow
max_response_time: a shared machine is no clock
"""

# Ends the very session that asks: tried by nobody who is signed in.
ENDS_THE_SESSION = {"POST /api/v1/auth/sign-out"}
# Last, so that the other doors meet subjects, carers and shifts that are there.
TAKES_AWAY = {
    "PUT /api/v1/on-call",
    "POST /api/v1/subjects/{subject_id}/carers/{account_id}/revocation",
    "POST /api/v1/episodes/{episode_id}/close",
    "PATCH /api/v1/subjects/{subject_id}/events/{event_id}",
    "POST /api/v1/subjects/{subject_id}/events",
}
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
Case = schemathesis.Case


def draw(stage: Stage, name: str | None, most: dict[GenerationMode, int]) -> tuple[Counter[tuple[str, int]], list[str]]:
    """Every operation as this person: how often each status was seen, and what was wrong."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", stage.house.app)
    schema.config.generation.with_security_parameters = False
    seen: Counter[tuple[str, int]] = Counter()
    wrong: list[str] = []
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in sorted(operations, key=lambda one: (one.label in TAKES_AWAY, one.label)):
        if name is not None and operation.label in ENDS_THE_SESSION:
            continue
        for mode, examples in most.items():
            if mode is NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
                continue  # nothing can be wrong with it

            @settings(
                max_examples=examples,
                phases=[Phase.generate],
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(mode))
            def ask(case: Case) -> None:
                headers = {"Authorization": f"Bearer {stage.person(name).fresh_token()}"} if name else {}
                make_real(stage, case)
                answer = case.call(headers=headers)
                seen[case.operation.label, answer.status_code] += 1
                case.validate_response(answer, checks=CHECKS, headers=headers)

            _note(wrong, operation.label, mode, ask)
    return seen, wrong


def _note(wrong: list[str], label: str, mode: GenerationMode, ask: Callable[[], None]) -> None:
    try:
        ask()
    except (Exception, FailureGroup) as error:  # every operation has its turn; all that is wrong is told at the end
        wrong.append(f"{label} ({mode}): {error}")


def make_real(stage: Stage, case: Case) -> None:
    """Put in ids that exist and words that the study knows into most good requests, so that doors open."""
    if case.meta.generation.mode is not POSITIVE:
        return
    case.path_parameters.update({name: stage.ids[name] for name in case.path_parameters if name in stage.ids})
    real = _plausible(stage)
    case.query.update({name: real[name] for name in ("site_id", "subject_id") if name in case.query})
    if len(str(case.body)) % 4 == 0:
        return
    if "/forms/" in case.path:
        del real["answers"]  # each form has its own
    for row in _rows(case.body):
        row.update({name: value for name, value in real.items() if name in row})
        if case.path.endswith("/attendance"):
            row["outcome"] = "attended"
        if case.path.endswith("/measurements"):
            row["value"] = real["value"]  # it may be left out only of what was not done
        if "events" in case.path and "kind" in row:
            row |= {"kind": "admission", "planned_at": real["planned_at"]}  # one of the two times has to be there
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"


def _rows(body: Any) -> list[dict[str, Any]]:
    """The objects of a body: itself, or those of a batch."""
    items = body["items"] if isinstance(body, dict) and "items" in body else body
    return [row for row in (items if isinstance(items, list) else [items]) if isinstance(row, dict)]


def _plausible(stage: Stage) -> dict[str, Any]:
    now = stage.house.now.isoformat()
    return {
        "site_id": str(stage.house.site_id),
        "shifts": [],
        "dose_level": "1",
        "year_of_birth": 1990,
        "contact": {"name": "Li", "phone": "13800138222"},
        "consents": [{"kind": "trial", "text_version": "1", "given_at": now}],
        "prior_organs": [],
        "carer": {"name": "Li", "phone": "13800138333", "locale": "en"},
        "scope": None,
        "planned_at": now,
        "actual_at": None,
        "code": "anc",
        "value": 1.5,
        "unit": "10*9/L",
        "not_done": False,
        "laboratory": "central",
        "lln": None,
        "uln": None,
        "method": None,
        "corrects_id": None,
        "collected_at": now,
        "drug": "paracetamol",
        "dose_mg": 500,
        "times_per_day": None,
        "started_at": now,
        "stopped_at": None,
        "form": "quick",
        "slot_id": None,
        "reporter": "patient",
        "subject_id": stage.subject["id"],
        "number": f"F{uuid4().hex[:8]}",
        "time_zone": "Asia/Shanghai",
        "reason": "because",
        "note": "so",
        "measured_at": now,
        "entered_at": now,
        "queued_at": now,
        "sent_at": now,
        "until": (stage.house.now + timedelta(hours=1)).isoformat(),
        "account_id": stage.ids["account_id"],
        "known": [],
        "crs_grade": 1,
        "icans_grade": 1,
        "answers": dict(WELL),
        "on_behalf_of": None,
        "seen_signal_seq": 1,
        "zone_from": "2026-06-01",
        "at": now,
        "rater_id": str(stage.house.doctor.id),
        "assessed_at": now,
        "onset_at": now,
        "episode_id": None,
    }


PEOPLE = ["nurse", "patient", "chief", None]


def hold(stage: Stage, name: str | None, most: dict[GenerationMode, int]) -> Counter[tuple[str, int]]:
    seen, wrong = draw(stage, name, most)
    assert not wrong, "\n\n".join(wrong)
    with stage.house.app.app_context(), transaction(writes=False):
        assert audit.verify().intact
        assert not agenda.verify()
    return seen


@pytest.mark.parametrize("name", PEOPLE)
def test_what_nobody_thought_of(own_stage: Stage, name: str | None) -> None:
    inside = name in ("nurse", "chief")  # the others are turned away at most doors
    seen = hold(own_stage, name, {POSITIVE: 6, NEGATIVE: 3} if inside else {POSITIVE: 3, NEGATIVE: 2})
    opened = {label for label, status in seen if status < 300}
    statuses = {status for _, status in seen}
    if name is None:
        assert opened == set()
        assert statuses >= {401, 422}
    elif name == "patient":
        assert {"PUT /api/v1/me/entries/{entry_id}", "GET /api/v1/me/today", "PATCH /api/v1/me"} <= opened
        assert 403 in statuses
    else:
        assert opened >= MUST_OPEN, MUST_OPEN - opened
        assert {404, 409, 412, 422} <= statuses


# If the draw no longer gets through these doors it proves little about them.
MUST_OPEN = {
    "GET /api/v1/subjects",
    "GET /api/v1/subjects/{subject_id}/calendar",
    "GET /api/v1/episodes/{episode_id}",
    "GET /api/v1/on-call",
    "POST /api/v1/subjects",
    "POST /api/v1/subjects/{subject_id}/measurements",
    "POST /api/v1/subjects/{subject_id}/medications",
    "POST /api/v1/subjects/{subject_id}/events",
    "POST /api/v1/subjects/{subject_id}/activation-codes",
    "POST /api/v1/episodes/{episode_id}/acknowledgements",
    "PUT /api/v1/visits/{visit_id}/attendance",
}


@pytest.mark.full
@pytest.mark.parametrize("name", PEOPLE)
def test_what_nobody_thought_of_at_length(own_stage: Stage, name: str | None) -> None:
    seen = hold(own_stage, name, {POSITIVE: 60, NEGATIVE: 40})
    assert sum(seen.values()) > 2000
