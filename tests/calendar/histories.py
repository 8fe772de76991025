"""One subject's facts for the calendar, said in few words; Shanghai unless a zone is named."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from backend import strictjson
from schedules.history import Anchor, Answered, History
from schedules.occurrences import occurrences
from schedules.planned import Occurrence
from schedules.protocol import load
from schedules.protocol.definition import SlotTime, Study
from schedules.windows import ZoneHistory

SHANGHAI = "Asia/Shanghai"
SUBJECT = UUID("5b1c1c0e-5f55-4c57-9d5b-0a6c3b0f0001")
INFUSED = datetime(2026, 3, 10, 9, 30, tzinfo=ZoneInfo(SHANGHAI))


@cache
def sle() -> Study:
    return load.load_study(Path(load.__file__).parent / "definitions" / "sle-cd19.yaml")


def at(*local: int, zone: str = SHANGHAI) -> datetime:
    """A local time as an instant."""
    return datetime(*local, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[arg-type, misc]


def known(kind: str, **over: datetime | None) -> Anchor:
    """An anchor event with an id of its own, known since it took place."""
    actual = over.get("actual_at")
    return Anchor(uuid5(SUBJECT, kind), **{"known_since": actual, **over})


def history(*, zone: str = SHANGHAI, infused: datetime | None = INFUSED, **over: Any) -> History:
    """A subject enrolled long ago and infused at `infused`; other facts by name."""
    anchors = {"infusion": known("infusion", actual_at=infused)} if infused else {}
    facts = {
        "subject_id": SUBJECT,
        "site_zone": zone,
        "zones": ZoneHistory(zone),
        "enrolled_at": datetime(2020, 1, 1, tzinfo=UTC),
        **over,
    }
    facts["anchors"] = {**anchors, **over.get("anchors", {})}
    return History(**facts)


def slots(study: Study, facts: History) -> list[Occurrence]:
    return [one for one in occurrences(study, facts) if one.kind == "slot"]


def visits(study: Study, facts: History) -> dict[str, Occurrence]:
    return {one.key: one for one in occurrences(study, facts) if one.kind == "visit"}


def by_id(found: Iterable[Occurrence]) -> dict[UUID, Occurrence]:
    return {one.id: one for one in found}


def per_day(found: Iterable[Occurrence]) -> Counter[int]:
    return Counter(one.day for one in found if one.day is not None)


def with_times(study: Study, times: Iterable[time], first: int, last: int) -> Study:
    """The study with one diary: one form at these clock times on every day from `first` to `last`."""
    asked = tuple(SlotTime(one, ("quick",)) for one in times)
    return replace(study, diary=(replace(study.diary[0], from_day=first, to_day=last, times=asked),))


def answer(form: str, when: datetime, *, slot: UUID | None = None, name: str = "entry") -> Answered:
    return Answered(uuid5(SUBJECT, f"{name}:{form}:{when.isoformat()}"), form, when, slot)


def local(instant: datetime | None, zone: str = SHANGHAI) -> tuple[date, time]:
    assert instant is not None
    here = instant.astimezone(ZoneInfo(zone))
    return here.date(), here.time()


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def busy() -> History:
    """Something of everything: a flight, answers, all anchors."""
    return history(
        anchors={
            "collection": known("collection", actual_at=at(2026, 3, 2, 10)),
            "lymphodepletion": known("lymphodepletion", actual_at=at(2026, 3, 5, 10)),
        },
        zones=ZoneHistory(SHANGHAI, ((date(2026, 3, 18), "Europe/London"),)),
        answered=tuple(answer("quick", at(2026, 3, n, 12, 5)) for n in range(5, 30)),
    )


def written() -> bytes:
    """The busy subject's calendar as bytes."""
    return strictjson.canonical([asdict(one) for one in occurrences(sle(), busy())]).encode()
