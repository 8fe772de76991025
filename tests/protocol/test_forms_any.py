"""Whatever is answered: nonsense is judged and kept as it is, and what a form offers is always accepted."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.protocol.definition import Study
from schedules.protocol.forms import check_answers, shown_items

DOSE = {"name": "paracetamol", "dose_mg": 500, "taken_at": "2026-03-01T07:30:00+08:00"}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=8)
    | st.sampled_from(["yes", "other", "chest_pain"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "dose_mg", "taken_at", "x"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(form=st.sampled_from(["quick", "daily", "weekly", "neuro", "ward"]), data=st.data())
def test_any_answers_are_judged_and_kept(sle: Study, form: str, data: st.DataObject) -> None:
    items = st.sampled_from(sorted(sle.items)) | st.text(max_size=4)
    answers = data.draw(st.dictionaries(items, JSON, max_size=12))
    checked = check_answers(sle, form, answers)
    assert checked.answers.keys() == answers.keys()
    for key, value in answers.items():
        kept = checked.answers[key]
        assert kept is value or kept == str(value).strip()
    assert all(fault.path.startswith("/answers") for fault in checked.faults)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_what_a_form_offers_is_always_accepted(sle: Study, data: st.DataObject) -> None:
    """Answer each shown question with something it allows: no fault, and a score within its items' limits."""
    form = sle.forms[data.draw(st.sampled_from(["quick", "daily", "weekly", "neuro"]))]
    answers: dict[str, Any] = {}
    for entry in form.items:
        if entry.item in shown_items(form, answers) and (entry.required or data.draw(st.booleans())):
            answers[entry.item] = data.draw(allowed(sle, entry.item))
    checked = check_answers(sle, form.key, answers)
    assert checked.faults == ()
    if form.score and answers["neuro_finished"] == "yes":
        assert checked.score is not None
        assert 0 <= checked.score <= 10


def allowed(study: Study, key: str) -> st.SearchStrategy[Any]:
    item = study.items[key]
    low, high = item.min or Decimal(0), item.max or Decimal(0)
    match item.type:
        case "scale":
            return st.integers(0, len(item.options) - 1)
        case "count":
            return st.integers(int(low), int(high))
        case "decimal":
            return st.decimals(low, high, places=item.decimals)
        case "choice":
            return st.sampled_from(item.option_keys())
        case "multi":
            others = [option for option in item.option_keys() if option != item.exclusive]
            alone = st.just([item.exclusive]) if item.exclusive else st.nothing()
            return alone | st.lists(st.sampled_from(others), min_size=1, unique=True)
        case "doses":
            return st.lists(st.just(DOSE), max_size=2)
        case _:
            return st.text(alphabet="好 a", min_size=1, max_size=9).filter(str.strip)
