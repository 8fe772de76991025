"""A context comes back from JSON exactly as it was: digits, instants, tuples and all."""

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.safety.codec import from_json, to_json
from backend.safety.context import Baseline, Context, Dose, EpisodeView, Median, Report, Slot, Value

START = datetime(2020, 1, 1, tzinfo=UTC)
instants = st.timedeltas(timedelta(0), timedelta(days=7000)).map(lambda passed: START + passed)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**9), max_value=10**9)
texts = st.text(max_size=8)
leaves = st.none() | st.booleans() | st.integers() | texts | decimals | instants
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts | st.sampled_from(["$d", "$t", "$u", "$m"]), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(texts, anything, max_size=3)
medians = st.builds(Median, decimals, st.integers(0, 99))
reports = st.builds(
    Report,
    id=texts,
    form=texts,
    at=instants,
    received_at=instants,
    reporter=texts,
    source=texts,
    answers=objects,
    score=st.none() | decimals,
    is_report=st.booleans(),
    claimed_at=st.none() | instants,
    skew_s=st.integers(),
)
values = st.builds(
    Value,
    id=texts,
    code=texts,
    value=st.none() | decimals,
    at=instants,
    recorded_at=instants,
    qualifier=st.sampled_from(["", "<", ">"]),
    lln=st.none() | decimals,
    uln=st.none() | decimals,
    method=st.none() | texts,
    source=texts,
)
doses = st.builds(
    Dose,
    id=texts,
    drug=texts,
    drug_class=texts,
    start=instants,
    stop=st.none() | instants,
    mg=st.none() | decimals,
    prednisolone_mg_per_day=st.none() | decimals,
    standing=st.booleans(),
)
baselines = st.builds(
    Baseline,
    temperature=st.dictionaries(texts, medians, max_size=2),
    vitals=st.dictionaries(texts, medians, max_size=2),
    neuro=st.none() | decimals,
    neuro_seconds=st.none() | decimals,
    symptoms=st.dictionaries(texts, st.integers(), max_size=2),
    values=st.dictionaries(texts, decimals, max_size=2),
)
slots = st.builds(
    Slot, texts, texts, instants, instants, instants, done=st.booleans(), announced=st.booleans(), weekly=st.booleans()
)
episodes = st.builds(
    EpisodeView,
    level=texts,
    opened_at=instants,
    contacted_at=st.none() | instants,
    highest_temperature=st.none() | decimals,
    organs=st.lists(texts, max_size=2).map(tuple),
    repeat_asked_at=st.none() | instants,
    repeat_due_at=st.none() | instants,
)
few = {"max_size": 2}
contexts = st.builds(
    Context,
    subject_id=texts,
    now=instants,
    at=instants,
    trigger=st.sampled_from(["report", "value", "medication", "release", "silence"]),
    trigger_id=st.none() | texts,
    day=st.none() | st.integers(-30, 200),
    window=st.none() | texts,
    infused_at=st.none() | instants,
    zone=texts,
    reports=st.lists(reports, **few).map(tuple),
    values=st.lists(values, **few).map(tuple),
    doses=st.lists(doses, **few).map(tuple),
    baseline=baselines,
    prior_organs=st.lists(texts, **few).map(tuple),
    slots=st.lists(slots, **few).map(tuple),
    admitted=st.booleans(),
    episode=st.none() | episodes,
    reached_at=st.none() | instants,
    site_thermometer=st.none() | texts,
    settings=objects,
)
AT = datetime(2026, 3, 9, 13, 10, tzinfo=UTC)
PLAIN = Context("001", AT, AT, "report", None, 6, "W2", None, "Asia/Shanghai")


def there_and_back(context: Context) -> Context:
    return from_json(json.loads(json.dumps(to_json(context), allow_nan=False)))


@settings(deadline=None)
@given(contexts)
def test_a_context_comes_back_equal_and_digit_for_digit(context: Context) -> None:
    returned = there_and_back(context)
    assert returned == context
    assert repr(returned) == repr(context)  # Decimal("38.20") equals 38.2 but is not the same reading


def test_every_field_of_a_context_is_exercised() -> None:
    """A field added to any of the shapes must be drawn above, or the property says nothing about it."""
    drawn = {
        Context: 20, Report: 11, Value: 10, Dose: 8, Baseline: 6, Slot: 8, EpisodeView: 7, Median: 2,
    }  # fmt: skip
    assert {shape: len(fields(shape)) for shape in drawn} == drawn


def test_what_stands_at_its_default_takes_no_room() -> None:
    assert set(to_json(PLAIN)) == {
        "subject_id", "now", "at", "trigger", "trigger_id", "day", "window", "infused_at", "zone",
    }  # fmt: skip


def test_an_instant_is_written_in_utc() -> None:
    elsewhere = replace(PLAIN, now=AT.astimezone(timezone(timedelta(hours=8))))
    assert to_json(elsewhere)["now"] == "2026-03-09T13:10:00Z"
    assert there_and_back(elsewhere) == elsewhere


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_json(replace(PLAIN, now=AT.replace(tzinfo=None)))


def test_what_json_cannot_keep_is_refused() -> None:
    with pytest.raises(TypeError):
        to_json(replace(PLAIN, settings={"from": date(2026, 3, 9)}))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises((TypeError, KeyError)):
        from_json({**to_json(PLAIN), "mood": "good"})
