"""Consents: a new text makes one wanting and the consent to it settles that; coming of age; who may say what."""

from typing import Any
from uuid import uuid4

from house import House, iso, subject_body

from tests.trial.desk import Subject, ago, at, faults, refused, send, z

Wanting = list[tuple[str, str | None, str, str, str | None]]


def wanting(house: House, subject: Subject) -> Wanting:
    answer = house.monitor.get(f"/subjects/{subject['id']}/consents")
    assert answer.status_code == 200, answer.text
    names = ("kind", "text_version", "why", "state", "since")
    return [tuple(one[name] for name in names) for one in answer.json["wanting"]]  # type: ignore[misc]


def consent(house: House, subject: Subject, **over: Any) -> Any:
    body = {
        "id": str(uuid4()),
        "kind": "trial",
        "text_version": "2.0",
        "given_at": house.now,
        "given_by": "subject",
        **over,
    }
    return house.nurse.post(f"/subjects/{subject['id']}/consents", {k: iso(v) for k, v in body.items()})


def new_text(house: House, by: str = "chief", **over: Any) -> Any:
    body = {"id": str(uuid4()), "kind": "trial", "text_version": "2.0", "valid_from": house.now, **over}
    return house.people[by].post(f"/sites/{house.site_id}/consent-texts", {k: iso(v) for k, v in body.items()})


def test_a_new_version_makes_the_consent_wanting_until_it_is_given(house: House) -> None:
    subject = house.enrol()
    assert wanting(house, subject) == []
    assert new_text(house, valid_from=at(2026, 3, 9, 8)).status_code == 201
    assert wanting(house, subject) == []  # not in force yet
    house.to(2026, 3, 9, 8)
    due: Wanting = [("trial", "2.0", "new_version", "due", z(2026, 3, 9, 8))]
    assert wanting(house, subject) == due
    # The app's text is newer too, but this subject never consented to any: nothing to renew.
    assert new_text(house, by="admin", kind="app", text_version="1.1").status_code == 201
    assert wanting(house, subject) == due
    assert consent(house, subject, text_version="1.5").status_code == 201  # not the one in force
    assert wanting(house, subject) == due
    given = consent(house, subject)
    assert (given.status_code, given.json["text_version"], given.json["given_by"]) == (201, "2.0", "subject")
    assert wanting(house, subject) == []
    house.turn(days=30)
    assert new_text(house, text_version="3.0").status_code == 201
    assert wanting(house, subject) == [("trial", "3.0", "new_version", "due", z(2026, 4, 8, 8))]
    listed = house.nurse.get(f"/subjects/{subject['id']}/consents").json["items"]
    assert listed[0]["text_version"] == "1.0"
    assert sorted(one["text_version"] for one in listed) == ["1.0", "1.5", "2.0"]
    texts = house.nurse.get(f"/sites/{house.site_id}/consent-texts").json["items"]
    assert [one["valid_from"] for one in texts] == [z(2026, 3, 9, 8), z(2026, 3, 9, 8), z(2026, 4, 8, 8)]
    assert {(one["kind"], one["text_version"]) for one in texts[:2]} == {("trial", "2.0"), ("app", "1.1")}


def test_each_kind_is_wanting_on_its_own_and_the_other_site_not_at_all(sqlite_house: House) -> None:
    house = sqlite_house
    given_at = iso(ago(house, days=30))
    kinds = [{"kind": kind, "text_version": "1.0", "given_at": given_at} for kind in ("trial", "app", "cross_border")]
    subject = house.enrol(consents=kinds)
    body = subject_body(house, site_id=str(house.other_site_id), contact={"name": "Li", "phone": "13900139000"})
    theirs = house.stranger.post("/subjects", body).json
    new_text(house, kind="app", text_version="1.1")
    new_text(house, kind="cross_border", text_version="1.2")
    assert sorted(one[:4] for one in wanting(house, subject)) == [
        ("app", "1.1", "new_version", "due"),
        ("cross_border", "1.2", "new_version", "due"),
    ]
    assert house.stranger.get(f"/subjects/{theirs['id']}/consents").json["wanting"] == []
    consent(house, subject, kind="app", text_version="1.1")
    assert [one[0] for one in wanting(house, subject)] == ["cross_border"]
    send(house, subject, "withdrawal", actual_at=house.now)
    assert wanting(house, subject) == []  # nobody who has left is asked


def minor(house: House, born: int, by: str = "guardian") -> Subject:
    given = {"kind": "trial", "text_version": "1.0", "given_at": iso(ago(house, days=30)), "given_by": by}
    return house.enrol(year_of_birth=born, consents=[given])


def test_a_minor_comes_of_age(sqlite_house: House) -> None:
    """Born in 2009: 17 in 2026 with a guardian's consent, 18 some time in 2027, certainly in 2028."""
    house = sqlite_house
    subject = minor(house, 2009)
    assert wanting(house, subject) == []
    assert faults(consent(house, subject)) == [("/given_by", "not_allowed")]
    house.to(2026, 12, 31, 23, 59)
    assert wanting(house, subject) == []
    house.turn(minutes=1)
    assert wanting(house, subject) == [("trial", None, "of_age", "coming", None)]
    assert consent(house, subject, given_by="guardian", text_version="1.1").status_code == 201
    assert [one[3] for one in wanting(house, subject)] == ["coming"]  # the guardian's does not settle it
    house.to(2028, 1, 1, 0)
    assert wanting(house, subject) == [("trial", None, "of_age", "due", None)]
    assert consent(house, subject, kind="app", text_version="1.1").status_code == 201
    assert [one[3] for one in wanting(house, subject)] == ["due"]  # nor does one to the app
    assert consent(house, subject, text_version="1.1").status_code == 201
    assert wanting(house, subject) == []


def test_the_own_consent_in_the_year_of_the_birthday_settles_it(sqlite_house: House) -> None:
    house = sqlite_house
    subject = minor(house, 2009)
    house.to(2027, 6, 1, 9)
    assert faults(consent(house, subject, given_at=at(2026, 12, 31, 23))) == [("/given_by", "not_allowed")]
    assert consent(house, subject, text_version="1.1").status_code == 201
    assert wanting(house, subject) == []
    house.to(2028, 6, 1, 9)
    assert wanting(house, subject) == []


def test_a_guardians_consent_in_the_year_of_the_birthday_does_not_last(sqlite_house: House) -> None:
    """Born in 2008, enrolled in March 2026 before the birthday: the guardian signed, so the subject is asked too."""
    house = sqlite_house
    subject = minor(house, 2008)
    assert wanting(house, subject) == [("trial", None, "of_age", "coming", None)]
    house.to(2027, 1, 1, 0)
    assert wanting(house, subject) == [("trial", None, "of_age", "due", None)]
    assert consent(house, subject, text_version="1.0").status_code == 201
    assert wanting(house, subject) == []


def test_a_minor_is_not_enrolled_with_a_consent_of_their_own(sqlite_house: House) -> None:
    """The same rule at enrolment as later: a minor's consent is the guardian's."""
    house = sqlite_house
    given = {"kind": "trial", "text_version": "1.0", "given_at": iso(ago(house, days=1)), "given_by": "subject"}
    body = subject_body(house, year_of_birth=2012, consents=[given])
    assert faults(house.nurse.post("/subjects", body)) == [("/consents/0/given_by", "not_allowed")]


def test_an_adult_is_not_asked_for_coming_of_age(sqlite_house: House) -> None:
    house = sqlite_house
    assert wanting(house, minor(house, 2007, by="subject")) == []


BAD: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"kind": "photo"}, [("/kind", "not_allowed")]),
    ({"text_version": ""}, [("/text_version", "wrong_length")]),
    ({"text_version": 2}, [("/text_version", "wrong_type")]),
    ({"given_at": "yesterday"}, [("/given_at", "invalid_instant")]),
    ({"given_at": at(2026, 3, 2, 9, 6)}, [("/given_at", "in_the_future")]),
    ({"given_by": "carer"}, [("/given_by", "not_allowed")]),
    ({"given_by": None}, [("/given_by", "null_not_allowed")]),
    ({"id": "7"}, [("/id", "invalid_uuid")]),
]


def test_bad_input_is_refused_with_its_path(sqlite_house: House) -> None:
    subject = sqlite_house.enrol()
    for over, found in BAD:
        assert faults(consent(sqlite_house, subject, **over)) == found, over
    assert len(sqlite_house.nurse.get(f"/subjects/{subject['id']}/consents").json["items"]) == 1


def test_repeats_conflicts_and_who_may(sqlite_house: House) -> None:
    house = sqlite_house
    subject, other = house.enrol(), house.enrol(number="002")
    same = str(uuid4())
    assert [consent(house, subject, id=same).status_code for _ in range(2)] == [201, 200]
    assert refused(consent(house, subject, id=same, text_version="2.1")) == (409, "id_taken")
    assert refused(consent(house, other, id=same)) == (409, "id_taken")
    text = str(uuid4())
    assert [new_text(house, id=text).status_code for _ in range(2)] == [201, 200]
    assert refused(new_text(house)) == (409, "conflict")  # that version is known
    assert refused(new_text(house, id=text, text_version="9")) == (409, "id_taken")
    for who in ("nurse", "doctor", "monitor"):
        assert refused(new_text(house, by=who, text_version="4")) == (403, "forbidden")
    assert refused(house.monitor.post(f"/subjects/{subject['id']}/consents", {})) == (403, "forbidden")
    assert refused(house.stranger.get(f"/subjects/{subject['id']}/consents")) == (404, "not_found")
    house.event(subject, "withdrawal", actual_at=house.now)
    house.turn(hours=1)
    assert refused(consent(house, subject)) == (409, "subject_ended")
    assert consent(house, subject, given_at=ago(house, days=2)).status_code == 201  # signed before, typed late
