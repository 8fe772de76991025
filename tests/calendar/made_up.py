"""Made-up studies and lives: a study of a few visits and slots, and one subject's facts around its boundaries. Pure.

A life is drawn in two steps: first the study and its anchor events, then facts that keep to the boundaries of
what these two bring about, since that is where a calendar errs.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from schedules.history import Amendment, Anchor, Answered, Attended, Excuse, History, Stay, Unscheduled
from schedules.occurrences import occurrences
from schedules.planned import Occurrence, visit_id
from schedules.protocol.definition import DiaryPhase, SlotTime, Study, Visit
from schedules.windows import ZoneHistory
from tests.calendar import reference
from tests.calendar.histories import SUBJECT, sle

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Shanghai", "Pacific/Auckland", "Asia/Kolkata")
# Around these dates the lives are led; clocks change on 8 and 29 March, 5 April, 27 September, 25 October, 1 November.
SEASONS = (date(2026, 3, 7), date(2026, 3, 28), date(2026, 4, 4), date(2026, 6, 15), date(2026, 9, 26),
           date(2026, 10, 24), date(2026, 10, 31), date(2025, 12, 30), date(2024, 2, 28))  # fmt: skip
CLOCK_TIMES = tuple(time(*one) for one in ((0, 0), (2, 0), (2, 30), (3, 0), (6, 45), (8, 0)))
EVENINGS = tuple(time(*one) for one in ((14, 0), (16, 30), (18, 0)))
KEYS = ("V0", "V1", "V2", "V3", "V4", "V5")
FORMS = ("quick", "daily")
ANCHORS = ("consent", "collection", "lymphodepletion", "infusion")
QUIET = ((time(22), time(6, 45)), (time(1), time(3)), (time(13), time(14, 30)), (time(0), time(8)))
INSTANT = timedelta(microseconds=1)


class Life:
    """A study and one subject's facts. `told` says what differs from one to another: a whole study fills pages."""

    def __init__(self, study: Study, history: History) -> None:
        self.study, self.history = study, history

    def calendar(self) -> tuple[Occurrence, ...]:
        return occurrences(self.study, self.history)

    def reference(self) -> tuple[Occurrence, ...]:
        return tuple(reference.calendar(self.study, self.history))

    def studies(self) -> tuple[Study, ...]:
        return (self.study, *(one.study for one in self.history.amendments))

    def told(self) -> str:
        told = [said(one) for study in self.studies() for one in (*study.visits, *study.diary)]
        since = [one.since.isoformat() for one in self.history.amendments]
        facts = {one.name: getattr(self.history, one.name) for one in fields(History) if one.name != "amendments"}
        told.extend(f"{name}={value!r}" for name, value in facts.items() if value)
        return "\n  ".join((f"amended on {since}", *told))


def said(one: Visit | DiaryPhase) -> str:
    if isinstance(one, DiaryPhase):
        return repr(one)
    window = f"{one.from_day}..{one.day}..{one.to_day}"
    return f"{one.key}: {one.anchor} {window}" + (f" before {one.before}" if one.before else "")


# --- Studies --------------------------------------------------------------------------------------------------


@st.composite
def visit_of(draw: st.DrawFn, key: str) -> Visit:
    anchor = draw(st.sampled_from((*ANCHORS, "infusion")))
    day = draw(st.one_of(st.just(0), st.integers(-12, 25)))
    return replace(
        sle().visits[0],
        key=key,
        anchor=anchor,
        day=day,
        from_day=day - draw(st.integers(0, 6)),
        to_day=day + draw(st.integers(0, 6)),
        before=draw(st.sampled_from(("", "", *(one for one in ANCHORS[1:] if one != anchor)))),
    )


@st.composite
def phase_of(draw: st.DrawFn, key: str, first: int) -> DiaryPhase:
    """A daily one with up to two times, or a sparse one with a window of days."""
    forms = st.sampled_from((("quick",), ("daily",), FORMS))
    if draw(st.integers(0, 4)) == 0:
        times: tuple[time, ...] = (draw(st.sampled_from((*CLOCK_TIMES, time(23, 30)))),)
        every, window = draw(st.integers(3, 7)), (720, 1440, 2880)
    else:
        morning, evening = draw(st.sampled_from(CLOCK_TIMES)), draw(st.sampled_from((None, *EVENINGS)))
        times = (morning,) if evening is None else (morning, evening)
        every = draw(st.sampled_from((1, 1, 2, 3)))
        window = draw(st.sampled_from(((60, 60, 300), (0, 0, 60), (30, 240, 240), (60, 15, 265))))
    return DiaryPhase(
        key=key,
        from_day=first,
        to_day=first + draw(st.integers(0, 8)),
        every_days=every,
        times=tuple(SlotTime(one, draw(forms)) for one in times),
        opens_before_min=window[0],
        late_after_min=window[1],
        closes_after_min=window[2],
    )


@st.composite
def diary(draw: st.DrawFn) -> tuple[DiaryPhase, ...]:
    """Up to three phases, each far enough from the one before it that their slots stay apart."""
    phases: list[DiaryPhase] = []
    first = draw(st.integers(-6, 4))
    for n in range(draw(st.integers(0, 3))):
        phase = draw(phase_of(f"p{n}", first))
        sparse = phase.closes_after_min >= 1440  # it opens the day before and closes days after
        if sparse:
            phase = replace(phase, from_day=phase.from_day + 1, to_day=phase.to_day + 1)
        phases.append(phase)
        first = phase.to_day + draw(st.integers(1, 4)) + (3 if sparse else 0)
    return tuple(phases)


@st.composite
def studies(draw: st.DrawFn, keys: tuple[str, ...] = KEYS) -> Study:
    """The lupus study with a few visits and a short diary of its own."""
    wanted = draw(st.lists(st.sampled_from(keys), min_size=2, max_size=5, unique=True))
    return _with(draw, sle(), tuple(draw(visit_of(key)) for key in wanted), draw(diary()))


@st.composite
def varied(draw: st.DrawFn, study: Study) -> Study:
    """A later revision: visits kept, moved, taken off and added, the diary kept, cut, stretched or written anew."""
    visits = []
    for visit in study.visits:
        what = draw(st.sampled_from(("keep", "move", "move", "anew", "off")))
        if what == "move":
            days = draw(st.integers(-12, 30))
            moved = {name: getattr(visit, name) + days for name in ("day", "from_day", "to_day")}
            visits.append(replace(visit, **moved))
        elif what != "off":
            visits.append(visit if what == "keep" else draw(visit_of(visit.key)))
    new = [key for key in KEYS if key not in {visit.key for visit in study.visits}]
    added = draw(st.lists(st.sampled_from(new), max_size=2, unique=True)) if new else []
    visits.extend(draw(visit_of(key)) for key in added)
    phases = study.diary
    what = draw(st.sampled_from(("keep", "cut", "stretch", "anew")))
    if what == "cut":
        phases = phases[:-1]
    elif what == "stretch" and phases:
        phases = (*phases[:-1], replace(phases[-1], to_day=phases[-1].to_day + draw(st.integers(1, 9))))
    elif what == "anew":
        phases = draw(diary())
    return _with(draw, study, tuple(visits), phases)


def _with(draw: st.DrawFn, study: Study, visits: tuple[Visit, ...], phases: tuple[DiaryPhase, ...]) -> Study:
    quiet_from, quiet_to = draw(st.sampled_from(QUIET))
    unscheduled = replace(study.unscheduled_visit, key=draw(st.sampled_from(("U", "U", "extra"))))
    reminders = replace(study.reminders, quiet_from=quiet_from, quiet_to=quiet_to)
    return replace(study, visits=visits, diary=phases, unscheduled_visit=unscheduled, reminders=reminders)


# --- Lives ----------------------------------------------------------------------------------------------------


@st.composite
def moments(draw: st.DrawFn, base: date, first: int, last: int) -> datetime:
    """A full or odd hour somewhere, midnight among them."""
    day = base + timedelta(days=draw(st.integers(first, last)))
    clock_time = draw(st.sampled_from((time(0), time(9, 30), time(12), time(16), time(23, 59, 59))))
    return datetime.combine(day, clock_time, ZoneInfo(draw(st.sampled_from(ZONES)))).astimezone(UTC)


@st.composite
def anchors(draw: st.DrawFn, base: date) -> dict[str, Anchor]:
    """Anchor events in any order: missing, planned, actual, or first planned and then actual."""
    found = {}
    for kind in ANCHORS:
        ways = ("planned", "actual", "both") if kind == "infusion" else ("missing", "planned", "actual", "both")
        way = draw(st.sampled_from((*ways, "actual")))
        if way == "missing" or (kind == "infusion" and draw(st.integers(0, 15)) == 0):
            continue
        middle = 0 if kind == "infusion" else draw(st.integers(-9, 3))
        planned = draw(moments(base, middle - 1, middle + 1)) if way != "actual" else None
        actual = draw(moments(base, middle - 1, middle + 1)) if way != "planned" else None
        known = actual + timedelta(hours=draw(st.sampled_from((0, 0, 1, 30, 100)))) if actual else None
        found[kind] = Anchor(uuid5(SUBJECT, kind), planned, actual, known)
    return found


@st.composite
def zones(draw: st.DrawFn, base: date) -> ZoneHistory:
    days = sorted(draw(st.lists(st.integers(-10, 20), max_size=2, unique=True)))
    changes = tuple((base + timedelta(days=day), draw(st.sampled_from(ZONES))) for day in days)
    return ZoneHistory(draw(st.sampled_from(ZONES)), changes)


@st.composite
def amendments(draw: st.DrawFn, base: date, study: Study) -> tuple[Amendment, ...]:
    found: list[Amendment] = []
    many = draw(st.sampled_from((0, 1, 2, 2)))
    for day in sorted(draw(st.lists(st.integers(-8, 24), min_size=many, max_size=many, unique=True))):
        study = draw(varied(study))
        found.append(Amendment(base + timedelta(days=day), study))
    return tuple(found)


def boundaries(found: Iterable[Occurrence]) -> list[datetime]:
    times = {at for one in found for at in (one.opens_at, one.due_at, one.late_at, one.closes_at) if at}
    return sorted(times)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A study and one subject's facts."""
    study = draw(studies())
    base = draw(st.sampled_from(SEASONS)) + timedelta(days=draw(st.integers(-3, 3)))
    bare = History(
        subject_id=SUBJECT,
        site_zone=draw(st.sampled_from(ZONES)),
        zones=draw(zones(base)),
        enrolled_at=datetime.combine(base, time(8), UTC) - timedelta(days=60),
        anchors=draw(anchors(base)),
        amendments=draw(amendments(base, study)),
    )
    return Life(study, draw(facts(study, bare, base)))


@st.composite
def facts(draw: st.DrawFn, study: Study, bare: History, base: date) -> History:
    """The bare history with whatever else may happen, much of it just when something opens, falls due or closes."""
    ahead = reference.calendar(study, bare)
    marks = boundaries(ahead)
    anywhen = moments(base, -15, 40)
    near = (
        st.builds(lambda at, step: at + step * INSTANT, st.sampled_from(marks), st.integers(-1, 1))
        if marks
        else anywhen
    )
    instants = st.one_of(near, near, anywhen)
    dues = sorted({one.due_at for one in ahead if one.kind == "slot" and one.due_at})
    ends = st.one_of(st.sampled_from(dues), instants) if dues else instants
    spans = st.one_of(
        st.tuples(ends, st.none()),
        st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair))),
    )
    extra = tuple(
        Unscheduled(uuid5(SUBJECT, f"extra {n}"), draw(st.one_of(st.none(), instants, instants)))
        for n in range(draw(st.integers(0, 2)))
    )
    planned = [visit_id(SUBJECT, key) for key in KEYS]
    visited = [*planned, *(one.id for one in extra)]
    agreed = draw(st.lists(st.sampled_from(planned), max_size=3, unique=True))
    seen = draw(st.lists(st.sampled_from(visited), max_size=3, unique=True))
    of_visit = {one: about([each for each in ahead if each.id == one], instants) for one in visited}
    leaving = st.dictionaries(st.sampled_from(("visits", "diary", "texts")), instants, max_size=2)
    return replace(
        bare,
        enrolled_at=draw(instants) if draw(st.integers(0, 3)) == 0 else bare.enrolled_at,
        stays=tuple(draw(st.lists(stays(spans), max_size=2))),
        excuses=tuple(
            Excuse(*draw(spans), draw(st.sampled_from(("device_lost", "other"))))
            for _ in range(draw(st.integers(0, 2)))
        ),
        stopped=draw(leaving) if draw(st.booleans()) else {},
        appointments={one: draw(of_visit[one]) for one in agreed},
        attendances={one: draw(attended(one, of_visit[one])) for one in seen},
        unscheduled=extra,
        answered=draw(answers(ahead, instants)),
    )


@st.composite
def steps_of_a_visit(draw: st.DrawFn) -> Life:
    """One visit through three revisions, each of which has it as it was, elsewhere or not at all; no diary."""
    base = draw(st.sampled_from(SEASONS))
    zone = draw(st.sampled_from(ZONES))
    days = sorted(draw(st.lists(st.integers(-6, 18), min_size=2, max_size=2, unique=True)))
    versions: list[tuple[Visit, ...]] = [draw(st.sampled_from(((), (draw(visit_of("V0")),))))]
    for _ in days:
        anew = (draw(visit_of("V0")),)
        versions.append(draw(st.sampled_from(((), versions[-1], anew))))
    first, *later = (replace(sle(), visits=version, diary=()) for version in versions)
    since = [base + timedelta(days=day) for day in days]
    bare = History(
        subject_id=SUBJECT,
        site_zone=zone,
        zones=ZoneHistory(zone),
        enrolled_at=datetime.combine(base, time(8), UTC) - timedelta(days=60),
        anchors=draw(anchors(base)),
        amendments=tuple(Amendment(*one) for one in zip(since, later, strict=True)),
    )
    visit = visit_id(SUBJECT, "V0")
    turns = [reference.begins(one, zone) for one in since]
    turns.append(turns[0] + timedelta(hours=12))  # under the second revision
    found = [one for study in (first, *later) for one in reference.calendar(study, replace(bare, amendments=()))]
    instants = st.one_of(about(found, moments(base, -9, 30)), st.sampled_from(turns), moments(base, -9, 30))
    what = draw(st.sets(st.sampled_from(("appointed", "seen", "left")), max_size=2))
    history = replace(
        bare,
        appointments={visit: draw(instants)} if "appointed" in what else {},
        attendances={visit: draw(attended(visit, instants))} if "seen" in what else {},
        stopped={"visits": draw(instants)} if "left" in what else {},
    )
    return Life(first, history)


def about(own: list[Occurrence], otherwise: st.SearchStrategy[datetime]) -> st.SearchStrategy[datetime]:
    """Instants at and some hours around the boundaries of a visit; others, where it has none."""
    marks = boundaries(own)
    if not marks:
        return otherwise
    steps = st.sampled_from((timedelta(0), -INSTANT, INSTANT, timedelta(hours=-3), timedelta(hours=3)))
    near = st.builds(lambda at, step: at + step, st.sampled_from(marks), steps)
    return st.one_of(near, near, otherwise)


@st.composite
def stays(draw: st.DrawFn, spans: st.SearchStrategy[Any]) -> Stay:
    since, until = draw(spans)
    return Stay(since, until, tuple(draw(st.lists(spans, max_size=2))))


@st.composite
def attended(draw: st.DrawFn, visit: UUID, instants: st.SearchStrategy[datetime]) -> Attended:
    return Attended(uuid5(visit, "row"), draw(instants), draw(st.sampled_from(("attended", "attended", "missed"))))


@st.composite
def answers(draw: st.DrawFn, ahead: list[Occurrence], instants: st.SearchStrategy[datetime]) -> tuple[Answered, ...]:
    """Entries about the time of a slot, or at any; meant for that slot, for another one, for none or for none known."""
    slots = [one for one in ahead if one.kind == "slot"]
    found = []
    for n in range(draw(st.integers(0, 6)) if slots else 0):
        slot = draw(st.sampled_from(slots))
        own = [one for one in (slot.opens_at, slot.due_at, slot.late_at, slot.closes_at) if one]
        at = draw(st.one_of(st.sampled_from(own), st.sampled_from(own), instants))
        form = slot.key if draw(st.integers(0, 3)) else draw(st.sampled_from(FORMS))
        unknown = uuid5(SUBJECT, "no slot")
        claimed = draw(st.sampled_from((None, None, slot.id, slots[0].id, draw(st.sampled_from(slots)).id, unknown)))
        found.append(Answered(uuid5(SUBJECT, f"entry {n}"), form, at + draw(st.integers(-1, 1)) * INSTANT, claimed))
    return tuple(found)


@st.composite
def looks(draw: st.DrawFn) -> tuple[Life, datetime]:
    """A life and an instant at which somebody looks at it, when something turns or next to it."""
    life = draw(lives())
    marks = boundaries(life.reference()) or [life.history.enrolled_at]
    return life, draw(st.sampled_from(marks)) + draw(st.integers(-1, 1)) * INSTANT
