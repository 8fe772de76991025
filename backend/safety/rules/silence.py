"""S1, S2, S4–S6 of clinical-safety §3.6: what it means when a report does not come. S3, S7, S8: `doubt`. Pure.

A slot that no reminder could announce never counts; a done slot, or a report off the timetable, ends a spell of
silence. `Finding.key` names the spell by what it follows, not by a slot that a short history could forget: whoever
asks every minute is answered once. Admission suspends these rules: ward values take over. After contact a finding
joins its episode without paging and without raising it. A rule's usual level comes as `thresholds["level"]`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.safety.baselines import febrile
from backend.safety.context import Context, Finding, Report, Slot
from backend.safety.masking import masked_acutely
from backend.safety.rules import doubt as doubt  # S3, S7 and S8 enter the catalogue with this module
from backend.safety.rules.base import Thresholds, hours_between, raised, rule
from backend.safety.rules.compose import compose
from backend.safety.rules.evidence import Fact, as_fact, hours, minutes, sitting
from backend.safety.rules.value_reading import compatible, step
from backend.safety.rules.vocabulary import ITEMS, Text, answer, drug, word
from backend.safety.rules.wording import clock, listed, number
from schedules.protocol.definition import LEVELS

SILENCE = ("silence",)
SILENT = ("unable_to_report", "icans", "crs", "infection")


# --- what is known ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Due:
    """One time a report was due, with all forms of that time."""

    id: str
    due_at: datetime
    late_at: datetime
    closes_at: datetime
    done: bool


def _times(context: Context, *, weekly: bool = False) -> list[_Due]:
    """Announced report times up to now, oldest first; one form handed in is a report, the others may be missing."""
    grouped: dict[datetime, list[Slot]] = {}
    for slot in sorted(context.slots, key=lambda slot: (slot.due_at, slot.id)):
        if slot.announced and slot.weekly is weekly and slot.due_at <= context.now:
            grouped.setdefault(slot.due_at, []).append(slot)
    return [
        _Due(
            slots[0].id,
            due_at,
            min(slot.late_at for slot in slots),
            max(slot.closes_at for slot in slots),
            any(slot.done for slot in slots),
        )
        for due_at, slots in grouped.items()
    ]


def _last_report(context: Context) -> Report | None:
    """The last report of the patient's or carer's own that counts, by the time it speaks of."""
    counted = [report for report in context.reports if report.is_report and report.at <= context.now]
    return max(counted, key=lambda report: (report.at, report.received_at), default=None)


def _silent_since(context: Context, *, weekly: bool = False) -> list[_Due]:
    """The times since the last report, all undone: the spell of silence, empty when there is none."""
    last, spell = _last_report(context), list[_Due]()
    for due in _times(context, weekly=weekly):
        if due.done:
            spell = []
        elif last is None or due.due_at > last.at:
            spell.append(due)
    return spell


def _contacted(context: Context) -> datetime | None:
    return context.episode.contacted_at if context.episode else None


def _joins_quietly(context: Context, rise_c: Any) -> bool:
    """After contact (§3.2), unless the temperature has since gone `rise_c` °C above all before."""
    contacted = _contacted(context)
    if contacted is None:
        return False
    readings = context.temperatures()
    before = [reading.value for reading in readings if reading.at <= contacted]
    after = [reading.value for reading in readings if reading.at > contacted]
    return not (before and after and max(after) >= max(before) + rise_c)


def _quietly(context: Context, found: Finding) -> Finding:
    """The finding joins the episode at no more than its level and does not page."""
    assert context.episode is not None
    return replace(found, level=min(found.level, context.episode.level, key=LEVELS.index), pages=False)


def _spell_key(context: Context) -> str:
    """What the silence follows: the last report, however often its entry is corrected; a window when there is none."""
    last = _last_report(context)
    return last.at.isoformat() if last else f"none in {context.window}"


def _slot_fact(due: _Due) -> Fact:
    return Fact("report_due", due.due_at, due.due_at, due.id)


def _report_fact(report: Report | None) -> list[Fact]:
    return [Fact("last_report", report.form, report.at, report.id, report.reporter)] if report else []


def _last_words(context: Context) -> Text:
    """'Last report 2026-03-09 07:10, 14 h ago.'"""
    last = _last_report(context)
    if last is None:
        return Text("此前无报告记录。", "No report on record before.")
    when, ago = clock(context, last.at), number(hours_between(context.now, last.at))
    return Text(f"上次报告 {when.zh}（{ago} 小时前）。", f"Last report {when.en} ({ago} h ago).")


def _silent(
    context: Context, level: str, texts: Sequence[Text | None], due: Sequence[_Due], key: str, **rest: Any
) -> Finding:
    """A finding about what did not come; `due` are the times it was awaited at."""
    facts = [*(_slot_fact(each) for each in due), *_report_fact(_last_report(context)), *rest.pop("facts", ())]
    keys = rest.pop("keys", SILENT)
    return compose(
        context, level, organ="silence", keys=keys, facts=facts, texts=texts, closing=compatible(keys), key=key, **rest
    )


# --- S1, S2, S6: reports that did not come ------------------------------------------------------------------


@rule("S1", triggers=SILENCE)
def report_late(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S1: the last scheduled report is late (60 min, the slot's own `late_at`): nudge and worklist, no page."""
    spell = [] if context.admitted else _silent_since(context)
    if not spell or context.now < spell[-1].late_at:
        return None
    due = spell[-1]
    at, ago = clock(context, due.due_at), number(hours_between(context.now, due.due_at))
    texts = [
        Text(
            f"{at.zh} 的报告尚未收到，已过 {ago} 小时。",
            f"The report due at {at.en} has not come; {ago} h have passed.",
        ),
        _last_words(context),
    ]
    keys = ("not_reported",)
    return _silent(context, thresholds["level"], texts, [due], f"S1:{due.id}", keys=keys, asks="nudge", pages=False)


@rule(
    "S2",
    triggers=SILENCE,
    thresholds=(
        "missed_in_a_row",
        "missed_in_window",
        "hours_without_report",
        "hours_in_window",
        "weekly_hours",
        "weekly_level",
    ),
)
def reports_missing(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S2: two scheduled reports in a row missed (W2), none for 24 h (W3), none 48 h after a weekly one was due.

    Missed is a slot that closed undone; the study says which windows are meant. The hours run from the last report;
    where none is on record, from the first announced time. The weekly spell is told once, at its own level.
    """
    if context.admitted:
        return None
    weekly = _weekly_missing(context, thresholds)
    if weekly is not None:
        return weekly
    spell = _silent_since(context)
    missed = [due for due in spell if due.closes_at <= context.now]
    by_count = context.window == thresholds["missed_in_window"] and len(missed) >= thresholds["missed_in_a_row"]
    last, least_h = _last_report(context), thresholds["hours_without_report"]
    since = last.at if last else None
    by_hours = context.window == thresholds["hours_in_window"] and _hours_silent(context, since, missed, least_h)
    if not (by_count or by_hours):
        return None
    clocks = listed(clock(context, due.due_at) for due in missed)
    texts = [
        Text(
            f"连续未收到 {len(missed)} 次报告（{clocks.zh}）。", f"{len(missed)} reports missed in a row ({clocks.en})."
        ),
        _last_words(context),
    ]
    return _silent(context, thresholds["level"], texts, missed, f"S2:{_spell_key(context)}")


def _hours_silent(context: Context, since: datetime | None, missed: Sequence[_Due], least_h: Any) -> bool:
    """Nothing for so many hours, an announced time having passed in them (counted from it if `since` is unknown)."""
    return bool(missed) and context.now - (since or missed[0].due_at) >= hours(least_h)


def _weekly_missing(context: Context, t: Thresholds) -> Finding | None:
    spell = _silent_since(context, weekly=True)
    if not spell or context.now - spell[0].due_at < hours(t["weekly_hours"]):
        return None
    at, ago = clock(context, spell[0].due_at), number(hours_between(context.now, spell[0].due_at))
    texts = [
        Text(f"{at.zh} 的每周报告已逾期 {ago} 小时。", f"The weekly report due at {at.en} is {ago} h overdue."),
        _last_words(context),
    ]
    return _silent(context, t["weekly_level"], texts, spell, f"S2:weekly:{_spell_key(context)}")


@rule("S6", triggers=SILENCE, thresholds=("hours_without_report_or_contact",))
def nobody_reached(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S6: no report for 24 h (in W2) and nobody reached: patient, carer, then ward or 110/120 by protocol.

    The hours run from the last report or from when patient or carer was last spoken with, whichever is later; a
    contact so begins a new spell.
    """
    spell = [] if context.admitted else _silent_since(context)
    last = _last_report(context)
    contacted = max((at for at in (_contacted(context), context.reached_at) if at), default=None)
    since = max((at for at in (last.at if last else None, contacted) if at), default=None)
    if not _hours_silent(context, since, spell, thresholds["hours_without_report_or_contact"]):
        return None
    first = clock(context, spell[0].due_at)
    texts = [
        _last_words(context),
        Text(
            f"自 {first.zh} 起的报告均未收到，此后无人联系上。请依次联系患者、家属，再按方案联系病区或 110/120。",
            f"Nothing has come since the report due at {first.en}, and nobody was reached. "
            "Call the patient, then the carer, then the ward or 110/120 as the protocol says.",
        ),
    ]
    key = f"S6:{_spell_key(context)}:{contacted.isoformat() if contacted else 'no contact'}"
    return _silent(context, thresholds["level"], texts, spell, key, more={"contacted_at": contacted})


# --- S4, S5: the answer awaited after something worrying ------------------------------------------------------


@rule("S4", triggers=SILENCE, thresholds=("minutes_after_asking", "worse_by_c"))
def repeat_missing(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S4: the repeat an open URGENT or EMERGENCY episode asked for is missing after 30 min: one level up.

    Missing when both the time it was due and 30 min from the asking have passed, and no report came in between.
    After contact it joins the episode without paging, unless the temperature has risen since (°C).
    """
    episode = context.episode
    if context.admitted or episode is None or episode.repeat_due_at is None or episode.level not in LEVELS[2:]:
        return None
    asked = episode.repeat_asked_at or episode.opened_at
    deadline = episode.repeat_due_at
    if episode.repeat_asked_at is not None:
        deadline = max(deadline, asked + minutes(thresholds["minutes_after_asking"]))
    last = _last_report(context)
    if context.now < deadline or (last is not None and last.at > asked):
        return None
    when, ago = clock(context, asked), number(hours_between(context.now, asked))
    texts = [
        Text(
            f"{when.zh} 要求的复测在 {ago} 小时后仍未收到。",
            f"The repeat measurement asked for at {when.en} has not come after {ago} h.",
        ),
        _last_words(context),
    ]
    more = {"repeat_asked_at": asked, "repeat_due_at": episode.repeat_due_at, "episode_level": episode.level}
    found = _silent(context, episode.level, texts, [], f"S4:{episode.repeat_due_at.isoformat()}", more=more)
    return _quietly(context, found) if _joins_quietly(context, thresholds["worse_by_c"]) else raised(found)


@rule(
    "S5",
    triggers=SILENCE,
    items=("temp_c", "temp_site", "confused", "words", "writing", "seizure_weak", "now_any"),
    thresholds=("overdue_h", "emergency_overdue_h", "neuro_at_least", "neuro_drop", "worse_by_c"),
)
def next_report_missing(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S5: the last report had fever, a neuro sign or acute masking and the next is 1 h overdue; 2 h: welfare call.

    Probable fever counts as fever, and the full hour as overdue: the safer readings. Fever is judged by site (°C).
    After contact it joins the episode without paging, unless the temperature has risen since.
    """
    last = _last_report(context)
    spell = [] if context.admitted or last is None else _silent_since(context)
    if last is None or not spell or context.now - spell[0].due_at < hours(thresholds["overdue_h"]):
        return None
    worrying, reasons = _worrying(replace(context, at=last.at), thresholds)
    if not reasons:
        return None
    grave = context.now - spell[0].due_at >= hours(thresholds["emergency_overdue_h"])
    due, ago = clock(context, spell[0].due_at), number(hours_between(context.now, spell[0].due_at))
    why = listed(reasons)
    texts = [
        Text(f"上次报告有：{why.zh}。", f"The last report had: {why.en}."),
        Text(f"应于 {due.zh} 的下一次报告已逾期 {ago} 小时。", f"The next, due at {due.en}, is {ago} h overdue."),
        Text("请致电确认平安。", "Make a welfare call.") if grave else None,
        _last_words(context),
    ]
    key = f"S5:{_spell_key(context)}:{'welfare call' if grave else 'overdue'}"
    found = _silent(context, thresholds["level"], texts, spell[:1], key, facts=worrying)
    found = raised(found) if grave else found
    return _quietly(context, found) if _joins_quietly(context, thresholds["worse_by_c"]) else found


def _worrying(then: Context, t: Thresholds) -> tuple[list[Fact], list[Text]]:
    """Fever, neuro signs and acute masking at the last report, whose sitting may hold several forms."""
    facts, reasons = list[Fact](), list[Text]()
    readings = [reading for reading in then.temperatures() if reading.source in {r.id for r in sitting(then)}]
    for reading in readings:
        if febrile(reading, then.settings):
            facts.append(as_fact(then, "temp_c", reading))
            reasons.append(Text(f"体温 {reading.value} °C", f"temperature {reading.value} °C"))
    signs = [fact for report in sitting(then) for fact in _neuro_signs(then, report, t)]
    facts += signs
    for sign in signs:
        item, given = word(ITEMS, sign.name), answer(sign.name, sign.value)
        reasons.append(Text(f"{item.zh} {given.zh}", f"{item.en} {given.en}"))
    for reason in masked_acutely(then):
        taken = drug(reason.drug)
        facts.append(Fact("masking", reason.drug, then.at, reason.source))
        reasons.append(Text(f"可能掩盖发热的{taken.zh}", f"{taken.en}, which could hide a fever"))
    return facts, reasons


def _neuro_signs(context: Context, report: Report, t: Thresholds) -> list[Fact]:
    """Answers that speak of the nervous system, and a neuro-check score below the subject's own best."""
    given: dict[str, Any] = {item: step(report, item) for item in ("confused", "words")}
    signs = {item: steps for item, steps in given.items() if steps >= t["neuro_at_least"]}
    signs |= {item: "yes" for item in ("writing", "seizure_weak") if report.answers.get(item) == "yes"}
    now = report.answers.get("now_any")
    for option in ("seizure_weak", "cannot_wake"):
        if isinstance(now, list | tuple) and option in now:
            signs["now_any"] = option
    if report.answers.get("neuro_finished") == "could_not_finish":
        signs["neuro_finished"] = "could_not_finish"
    best = context.baseline.neuro
    score = report.score if report.form == "neuro" else None
    if score is not None and best is not None and best - score >= t["neuro_drop"]:
        signs["neuro_score"] = score
    return [Fact(item, value, report.at, report.id, report.reporter) for item, value in signs.items()]
