"""The calendar file for a phone: what is ahead with its alarms, in UTC, stable ids, and no telling word."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from house import SLE, House, Person, iso
from icalendar import Calendar

from schedules.protocol.load import load_study
from tests.trial.desk import Subject, at, calendar, refused, send, visit

# In lower case; whoever looks over a shoulder must learn nothing from these.
TELLING = [
    "lupus", "sle", "nct07331467", "car-t", "car t", "cart", "cd19", "crs", "icans", "ice", "cell", "infus", "leuk",
    "lymph", "trial", "study", "visit", "hospital", "ward", "report", "diary", "temperature", "fever", "symptom",
    "neuro", "day ", "month", "screening", "collection", "nj", "doctor", "patient", "wang", "xiaoming", "13800138000",
    "001", "38.4", "medicine", "blood",
    "狼疮", "细胞", "回输", "清淋", "采集", "试验", "研究", "访视", "医院", "病房", "填报", "日记", "体温", "发热",
    "症状", "神经", "测验", "筛选", "随访", "患者", "医生", "血", "药", "第",
]  # fmt: skip
LOCALES = ["en", "zh-CN"]


def download(person: Person, door: str) -> bytes:
    answer = person.get(door)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calendar.ics"'
    return answer.get_data()


def file_of(house: House, subject: Subject) -> bytes:
    return download(house.nurse, f"/subjects/{subject['id']}/calendar.ics")


def events(raw: bytes) -> list[Any]:
    parsed = Calendar.from_ical(raw)
    assert (str(parsed["version"]), str(parsed["method"])) == ("2.0", "PUBLISH")
    assert parsed["prodid"]
    assert {one.name for one in parsed.subcomponents} <= {"VEVENT"}  # no time zones: instants are UTC
    return list(parsed.walk("VEVENT"))


def by_id(raw: bytes) -> dict[str, Any]:
    found = events(raw)
    ids = [str(one["uid"]) for one in found]
    assert len(ids) == len(set(ids))
    return dict(zip(ids, found, strict=True))


def alarms(event: Any) -> list[timedelta]:
    return [one["trigger"].dt for one in event.walk("VALARM")]


def reports(raw: bytes) -> list[datetime]:
    """The report times: events of a quarter of an hour."""
    return [
        one["dtstart"].dt
        for one in events(raw)
        if "dtend" in one and one["dtend"].dt - one["dtstart"].dt == timedelta(minutes=15)
    ]


def agree(house: House, subject: Subject, key: str, when: datetime, version: int | None = None) -> None:
    door = f"/visits/{visit(house, subject, key)['id']}/appointment"
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    answer = house.nurse.put(door, {"at": iso(when), "reason": "agreed by telephone"}, **headers)
    assert answer.status_code == 200, answer.text


def test_visits_and_report_times_with_their_alarms(sqlite_house: House) -> None:
    """Infused 26 February, day 4 is 2 March. V8 (day 7) agreed for 5 March 10:00; V9 (day 10, 8 March) not yet."""
    house = sqlite_house
    subject = house.infused(days_ago=4)
    agree(house, subject, "V8", at(2026, 3, 5, 10))
    found = by_id(file_of(house, subject))
    eight = found[visit(house, subject, "V8")["id"]]
    assert (eight["dtstart"].dt, eight["dtend"].dt) == (at(2026, 3, 5, 10), at(2026, 3, 5, 11))
    assert eight["dtstart"].to_ical() == b"20260305T020000Z"
    assert (str(eight["summary"]), alarms(eight)) == ("Appointment", [timedelta(days=-1), timedelta(hours=-2)])
    nine = found[visit(house, subject, "V9")["id"]]
    assert (nine["dtstart"].dt, "dtend" in nine, alarms(nine)) == (date(2026, 3, 8), False, [])
    assert str(nine["summary"]) == "Appointment (time to be agreed)"
    assert {one["key"] for one in calendar(house, subject) if one["id"] in found} == {f"V{n}" for n in range(7, 20)}

    times = reports(file_of(house, subject))
    # Today 12:00, 17:00 and 21:30 (07:00 is past); four a day to day 21, two to day 30, then weekly from day 37 to 177.
    assert len(times) == 3 + 17 * 4 + 9 * 2 + 21
    assert times[:4] == [at(2026, 3, 2, 12), at(2026, 3, 2, 17), at(2026, 3, 2, 21, 30), at(2026, 3, 3, 7)]
    assert len(times) == len(set(times))  # one for all forms of a time
    diary = next(one for one in events(file_of(house, subject)) if one["dtstart"].dt == at(2026, 3, 2, 21, 30))
    assert (str(diary["summary"]), alarms(diary)) == ("Reminder", [timedelta(0)])


def test_everything_is_utc_and_nothing_lies_in_the_past(sqlite_house: House) -> None:
    """At several instants of the risk window, with an appointment of this morning and windows half over."""
    house = sqlite_house
    subject = house.infused(days_ago=4)
    agree(house, subject, "V8", at(2026, 3, 5, 10))
    for local in ((2, 9), (4, 12), (5, 9, 59), (5, 12), (6, 23), (10, 3)):
        house.to(2026, 3, *local)
        raw = file_of(house, subject)
        starts = [(one["dtstart"].dt, one) for one in events(raw)]
        assert starts
        late = [str(one["summary"]) for start, one in starts if _before(start, house.now)]
        assert late == [], local
        for start, _ in starts:
            assert not isinstance(start, datetime) or start.tzinfo is not None
            assert not isinstance(start, datetime) or start.utcoffset() == timedelta(0)
        assert re.search(rb"TZID", raw) is None


def _before(start: date | datetime, now: datetime) -> bool:
    """An instant that is over, or a whole day that is over in Shanghai."""
    if isinstance(start, datetime):
        return start < now
    return start < (now + timedelta(hours=8)).date()


@pytest.mark.parametrize("locale", LOCALES)
def test_no_telling_word(sqlite_house: House, locale: str) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=4, locale=locale)
    patient = house.patient_of(subject)
    assert house.report(patient, {"temp_c": 38.4}).status_code == 201
    agree(house, subject, "V8", at(2026, 3, 5, 10))
    extra = {"id": "7e0b5a52-51a0-4c9e-8f0b-0d4d0a6b0001", "at": iso(at(2026, 3, 4, 9)), "reason": "lupus flare"}
    assert house.nurse.post(f"/subjects/{subject['id']}/visits", extra).status_code == 201
    raw = download(patient, "/me/calendar.ics")
    assert raw == file_of(house, subject)
    parsed = Calendar.from_ical(raw)
    study = load_study(SLE)
    names = [study.name, *(drug.name for drug in study.drugs.values()), *(v.name for v in study.visits)]
    words = [*TELLING, *(text.lower() for name in names for text in (name.zh, name.en))]
    words += [*study.drugs, "nj hospital", "nj 医院"]
    values = {
        str(value).lower()
        for one in parsed.walk()
        for name, value in one.property_items(recursive=False)
        if name in ("SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CATEGORIES", "ORGANIZER", "CONTACT", "URL")
        or name.startswith("X-")
    }
    assert (
        values
        == {
            "en": {"daymark", "appointment", "appointment (time to be agreed)", "reminder"},
            "zh-CN": {"daymark", "预约", "预约（时间待定）", "提醒"},
        }[locale]
    )
    assert [word for word in words if any(word in value for value in values)] == []
    # Nor anywhere else in the file: ids apart there is nothing else to read.
    rest = re.sub(rb"(UID|DTSTAMP|DTSTART|DTEND|SEQUENCE)[^\r\n]*", b"", raw).decode().lower()
    for word in ("lupus", "car-t", "狼疮", "细胞", "回输", "38.4", "13800138000", "wang", "nct07331467"):
        assert word not in rest


def test_the_same_instant_gives_the_same_bytes(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=4)
    agree(house, subject, "V8", at(2026, 3, 5, 10))
    first = file_of(house, subject)
    assert [file_of(house, subject) for _ in range(2)] == [first, first]
    house.turn(minutes=1)
    assert file_of(house, subject) != first


def test_a_moved_visit_keeps_its_id_and_its_sequence_grows(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=4)
    agree(house, subject, "V8", at(2026, 3, 5, 10))
    one = visit(house, subject, "V8")["id"]
    before = by_id(file_of(house, subject))[one]
    house.turn(minutes=1)
    agree(house, subject, "V8", at(2026, 3, 6, 14), 1)
    after = by_id(file_of(house, subject))[one]
    assert after["dtstart"].dt == at(2026, 3, 6, 14)
    assert after["sequence"] > before["sequence"]
    assert after["dtstamp"].dt == house.now.replace(tzinfo=UTC)


def test_within_one_minute_the_sequence_grows_too(sqlite_house: House) -> None:
    """Handed over, a slip noticed, moved and handed over again: a phone keeps the higher sequence."""
    house = sqlite_house
    subject = house.infused(days_ago=4)
    agree(house, subject, "V8", at(2026, 3, 5, 10))
    one = visit(house, subject, "V8")["id"]
    before = by_id(file_of(house, subject))[one]
    house.turn(seconds=20)
    agree(house, subject, "V8", at(2026, 3, 6, 14), 1)
    after = by_id(file_of(house, subject))[one]
    assert after["sequence"] > before["sequence"]


def test_a_report_time_keeps_its_id_when_one_of_its_forms_is_done(sqlite_house: House) -> None:
    """Else the phone rings twice at 21:30: once for the event it has, once for the new one."""
    house = sqlite_house
    subject = house.infused(days_ago=4)
    patient = house.patient_of(subject)
    house.to(2026, 3, 2, 20, 45)
    half_past_nine = at(2026, 3, 2, 21, 30)
    before = [uid for uid, one in by_id(file_of(house, subject)).items() if one["dtstart"].dt == half_past_nine]
    assert house.report(patient).status_code == 201  # the quick form; daily and neuro are still to do
    after = [uid for uid, one in by_id(file_of(house, subject)).items() if one["dtstart"].dt == half_past_nine]
    assert (len(before), after) == (1, before)


def test_what_is_done_excused_or_over_is_not_in_it(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=4)
    attended = {"at": iso(house.now), "outcome": "attended"}
    one = visit(house, subject, "V7")["id"]
    assert one in by_id(file_of(house, subject))
    assert house.nurse.put(f"/visits/{one}/attendance", attended).status_code == 200
    assert one not in by_id(file_of(house, subject))
    send(house, subject, "admission", actual_at=house.now)
    assert reports(file_of(house, subject)) == []
    assert by_id(file_of(house, subject))  # visits go on
    send(house, subject, "death", actual_at=house.now)
    assert events(file_of(house, subject)) == []


def test_who_may_have_it(sqlite_house: House) -> None:
    house = sqlite_house
    subject, other = house.infused(days_ago=4), house.infused(days_ago=2, number="002")
    patient = house.patient_of(subject)
    carer = house.patient_of(subject, "carer", carer={"name": "Li Na", "phone": "13700137000", "locale": "zh-CN"})
    door = f"/subjects/{subject['id']}/calendar.ics"
    assert download(patient, "/me/calendar.ics") == download(house.monitor, door)
    assert {str(one["summary"]) for one in events(download(carer, "/me/calendar.ics"))} == {"提醒", "预约（时间待定）"}
    named = download(patient, f"/me/calendar.ics?subject_id={subject['id']}")
    assert named == download(patient, "/me/calendar.ics")
    assert refused(patient.get(f"/me/calendar.ics?subject_id={other['id']}")) == (404, "not_found")
    assert refused(house.stranger.get(door)) == (404, "not_found")
    assert refused(house.admin.get(door)) == (403, "forbidden")
    assert refused(house.nurse.get("/me/calendar.ics")) == (403, "forbidden")
