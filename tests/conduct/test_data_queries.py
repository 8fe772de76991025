"""Questions about the data: opened about any thing in the record, answered, closed and opened again; all is kept."""

from itertools import pairwise
from typing import Any

import pytest
from house import Person

from tests.conduct.acts import ago, ask, consent, done, fresh, is_refused, lock, trail
from tests.contract.stage import Stage, problem_of, refuses


def say(stage: Stage, who: Person, query: dict[str, Any], verb: str, text: str) -> dict[str, Any]:
    """Move a query on from the version that was read; what it then is."""
    answer = who.post(f"/queries/{query['id']}/{verb}", {"text": text}, **{"If-Match": f'"{query["version"]}"'})
    moved = done(answer, 200)
    assert answer.headers["ETag"] == f'"{moved["version"]}"'
    return moved


def things(stage: Stage) -> dict[str, str]:
    """One of each kind of thing that a query may be about, with its id."""
    house, ids = stage.house, stage.ids
    consented = done(house.nurse.post(f"{stage.at}/consents", consent(stage)), 201)["id"]
    chain = house.chief.get(f"/audit?subject_id={stage.subject['id']}&limit=200").json["items"]
    return {
        "subject": stage.subject["id"],
        "visit": ids["visit_id"],
        "unscheduled_visit": ids["unscheduled_id"],
        "event": ids["event_id"],
        "entry": ids["entry_id"],
        "measurement": ids["measurement_id"],
        "medication": ids["medication_id"],
        "product": next(row["entity_id"] for row in chain if row["entity"] == "product"),
        "consent": consented,
        "excuse": ids["excuse_id"],
        "episode": ids["episode_id"],
    }


def test_anything_in_the_record_may_be_asked_about(both: Stage) -> None:
    opened = {}
    for entity, entity_id in things(both).items():
        answer = ask(both, entity=entity, entity_id=entity_id, field="value", question=f"is this {entity} right?")
        row = done(answer, 201)
        assert (row["entity"], row["entity_id"], row["field"], row["state"]) == (entity, entity_id, "value", "open")
        [note] = row["notes"]
        assert (note["text"], note["by"], note["state"]) == (f"is this {entity} right?", "Monitor", "open")
        opened[row["id"]] = row
    listed = done(both.house.nurse.get(f"/queries?subject_id={both.subject['id']}"))["items"]
    assert {one["id"]: one for one in listed if one["id"] in opened} == opened


def test_what_is_unknown_or_another_subjects_is_refused(stage: Stage) -> None:
    house = stage.house
    other = house.enrol(number="003")
    event = house.event(other, "admission", actual_at=house.now)["event"]["id"]
    slots = house.nurse.get(f"/subjects/{other['id']}/calendar").json["items"]
    theirs = {
        "subject": other["id"],
        "event": event,
        "visit": next(one["id"] for one in slots if one["kind"] == "visit"),
    }
    wrong = [(entity, fresh()) for entity in things(stage)] + list(theirs.items())
    wrong += [("measurement", stage.ids["entry_id"]), ("entry", stage.ids["measurement_id"])]  # of another kind
    wrong += [("subject", stage.foreign["id"])]
    for entity, entity_id in wrong:
        body = {"id": fresh(), "entity": entity, "entity_id": entity_id, "question": "sure?"}
        refuses(house, house.monitor, "POST", f"{stage.at}/queries", body, faults=[("/entity_id", "not_allowed")])


@pytest.mark.parametrize(
    ("over", "path", "code"),
    [
        ({"entity": "account"}, "/entity", "not_allowed"),
        ({"entity_id": "7"}, "/entity_id", "invalid_uuid"),
        ({"question": ""}, "/question", "wrong_length"),
        ({"state": "closed"}, "/state", "unknown_field"),
    ],
)
def test_a_bad_question_says_where(stage: Stage, over: dict[str, Any], path: str, code: str) -> None:
    body = {"id": fresh(), "entity": "subject", "entity_id": stage.subject["id"], "question": "sure?", **over}
    refuses(stage.house, stage.house.monitor, "POST", f"{stage.at}/queries", body, faults=[(path, code)])


def test_a_query_from_opening_to_closing_and_once_more(both: Stage) -> None:
    house = both.house
    query = done(ask(both, house.statistician, question="why so low?"), 201)
    said = [("open", "why so low?", "Statistician", house.statistician)]
    for verb, state, who, text in (
        ("answers", "answered", house.nurse, "typed as it was read"),
        ("closure", "closed", house.monitor, "thank you"),
        ("reopening", "open", house.doctor, "the laboratory says otherwise"),
        ("closure", "closed", house.chief, "corrected meanwhile"),
    ):
        house.turn(minutes=10)
        query = say(both, who, query, verb, text)
        assert query["state"] == state
        said.append((state, text, who.username.title(), who))
    assert [(one["state"], one["text"], one["by"]) for one in query["notes"]] == [one[:3] for one in said]
    assert [one["at"] for one in query["notes"]] == sorted({one["at"] for one in query["notes"]})
    kept = [
        row for verb in ("opened", "answered", "closed", "open") for row in trail(house, f"query:{verb}", query["id"])
    ]
    kept.sort(key=lambda row: row.seq)
    assert [(row.actor_id, row.reason, row.chain) for row in kept] == [
        (who.id, text, both.subject["id"]) for _, text, _, who in said
    ]
    assert [(row.old, row.new) for row in kept[1:]] == [
        ({"state": old[0]}, {"state": new[0]}) for old, new in pairwise(said)
    ]


# From a state, what is no way forward.
NO_WAY = {"open": ("reopening",), "answered": ("answers",), "closed": ("answers", "closure")}
THE_WAY = {"open": (), "answered": ("answers",), "closed": ("closure",)}


@pytest.mark.parametrize("state", NO_WAY)
def test_what_is_no_way_forward_is_a_conflict(stage: Stage, state: str) -> None:
    house, now = stage.house, {"If-Match": "*"}
    query = done(ask(stage), 201)
    for verb in THE_WAY[state]:
        query = say(stage, house.chief, query, verb, "so far")
    assert query["state"] == state
    for verb in NO_WAY[state]:
        path = f"/queries/{query['id']}/{verb}"
        refuses(house, house.chief, "POST", path, {"text": "again"}, status=409, code="conflict", headers=now)


def test_who_answers_has_read_what_stands(stage: Stage) -> None:
    house, body = stage.house, {"text": "checked"}
    query = done(ask(stage), 201)
    say(stage, house.nurse, query, "answers", "typed as read")
    for verb in ("answers", "closure", "reopening"):
        path = f"/queries/{query['id']}/{verb}"
        refuses(house, house.chief, "POST", path, body, status=428, code="if_match_required")
        refuses(house, house.chief, "POST", path, body, status=412, code="stale", headers={"If-Match": '"1"'})
        silent = {"If-Match": '"2"'}
        refuses(house, house.chief, "POST", path, {}, faults=[("/text", "required")], headers=silent)


def test_a_repeat_is_harmless_and_another_content_is_refused(stage: Stage) -> None:
    house, path = stage.house, f"{stage.at}/queries"
    body = {"id": fresh(), "entity": "subject", "entity_id": stage.subject["id"], "question": "sure?"}
    first = done(house.monitor.post(path, body), 201)
    assert done(house.monitor.post(path, body), 200) == first
    for over in ({"field": "number"}, {"entity": "entry", "entity_id": stage.ids["entry_id"]}):
        refuses(house, house.monitor, "POST", path, {**body, **over}, status=409, code="id_taken")
    assert len(trail(house, "query:opened", body["id"])) == 1


def test_the_list_is_paged_and_picked_from(both: Stage) -> None:
    house = both.house
    for n in range(5):
        house.turn(minutes=n % 2)  # some at the same instant
        done(ask(both), 201)
    whole = done(house.nurse.get("/queries"))["items"]
    assert len(whole) >= 6
    assert [one["opened_at"] for one in whole] == sorted(one["opened_at"] for one in whole)
    seen, cursor = [], ""
    for _ in range(len(whole)):
        page = done(house.nurse.get(f"/queries?limit=2{cursor}"))
        seen += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
        if page["next_cursor"] is None:
            break
    assert seen == whole
    closed = say(both, house.monitor, whole[0], "closure", "done")
    for query, wanted in (
        ("state=closed", [closed]),
        ("state=open", whole[1:]),
        (f"site_id={house.site_id}&state=closed", [closed]),
        (f"subject_id={both.foreign['id']}", []),
    ):
        assert done(house.nurse.get(f"/queries?{query}"))["items"] == wanted, query
    problem_of(house.nurse.get("/queries?state=lost"), 422, "invalid", [("/state", "not_allowed")])
    problem_of(house.nurse.get("/queries?cursor=x"), 422, "invalid", [("/cursor", "invalid")])


def test_queries_of_another_site_do_not_exist(stage: Stage) -> None:
    house, foreign = stage.house, stage.foreign["id"]
    body = {"id": fresh(), "entity": "subject", "entity_id": foreign, "question": "sure?"}
    theirs = done(house.rival.post(f"/subjects/{foreign}/queries", body), 201)
    for query_id in (theirs["id"], fresh()):
        for verb in ("answers", "closure", "reopening"):
            path, now = f"/queries/{query_id}/{verb}", {"If-Match": "*"}
            refuses(house, house.chief, "POST", path, {"text": "x"}, status=404, code="not_found", headers=now)
    other = {**body, "id": fresh()}
    refuses(house, house.monitor, "POST", f"/subjects/{foreign}/queries", other, status=404, code="not_found")
    for query in ("", f"?subject_id={foreign}", f"?site_id={house.other_site_id}"):
        assert theirs["id"] not in {one["id"] for one in done(house.monitor.get(f"/queries{query}"))["items"]}
    assert [one["id"] for one in done(house.stranger.get("/queries"))["items"]] == [theirs["id"]]


def test_queries_go_on_while_the_record_is_locked(stage: Stage) -> None:
    house = stage.house
    done(lock(stage), 201)
    done(lock(stage, whole=True), 201)
    query = say(stage, house.nurse, done(ask(stage), 201), "answers", "as in the sheet")
    assert say(stage, house.monitor, query, "closure", "thank you")["state"] == "closed"
    is_refused(house.nurse.post(f"{stage.at}/measurements", {"items": [value(stage)]}), "record_locked")


def value(stage: Stage) -> dict[str, Any]:
    said = {"id": fresh(), "code": "crp", "value": 3, "unit": "mg/L", "source": "ward"}
    return {**said, "collected_at": ago(stage)}
