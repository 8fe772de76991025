"""LLDAS, criterion 2 (Oon 2019): nothing new since the visit before, and what is said of serology that alone is new."""

from decimal import Decimal

import pytest

from backend.instruments.logic import Truth
from tests.instruments.lldas_visits import ALL, FIFTH, FIRST, FOURTH, SECOND, THIRD, rules, scored


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ((), (), True),
        (("rash",), ("rash",), True),
        (("rash", "alopecia"), ("rash",), True),
        (("arthritis",), (), True),
        ((), ("leukopenia",), False),
        (("rash",), ("alopecia",), False),
        (("rash",), ("rash", "leukopenia"), False),
    ],
)
def test_a_descriptor_absent_at_the_visit_before_is_new(
    before: tuple[str, ...], now: tuple[str, ...], *, expected: bool
) -> None:
    """Oon 2019: no SLEDAI-2K item newly above 0."""
    answer = scored(sledai_present=now, previous_visit_sledai_present=before)
    assert answer.criteria == {FIRST: True, SECOND: expected, THIRD: True, FOURTH: True, FIFTH: True}
    assert answer.lldas is expected


@pytest.mark.parametrize(
    ("before", "not_assessed", "expected"), [((), ("rash",), None), (("rash",), ("rash",), True), (("rash",), (), True)]
)
def test_a_descriptor_not_assessed_may_be_new(
    before: tuple[str, ...], not_assessed: tuple[str, ...], *, expected: Truth
) -> None:
    answer = scored(sledai_not_assessed=not_assessed, previous_visit_sledai_present=before)
    assert answer.criteria[SECOND] is expected
    assert answer.lldas is expected


@pytest.mark.parametrize(
    ("before", "unseen", "now", "expected"),
    [
        ((), ("alopecia",), ("alopecia",), None),  # may have been there already
        ((), ("alopecia",), ("rash",), False),  # the rash was looked for and absent
        ((), ("alopecia",), ("alopecia", "leukopenia"), False),
        ((), ("alopecia",), (), True),
        (("rash",), ("alopecia",), ("rash",), True),
        ((), ALL, ("alopecia",), None),
        ((), None, ("alopecia",), False),
    ],
)
def test_a_descriptor_not_assessed_at_the_visit_before_may_be_an_old_one(
    before: tuple[str, ...], unseen: tuple[str, ...] | None, now: tuple[str, ...], *, expected: Truth
) -> None:
    """instruments.md §1 and §7: not assessed is not absent, and unknown stays unknown."""
    answer = scored(sledai_present=now, previous_visit_sledai_present=before, previous_visit_sledai_not_assessed=unseen)
    assert answer.criteria == {FIRST: True, SECOND: expected, THIRD: True, FOURTH: True, FIFTH: True}
    assert answer.lldas is expected


@pytest.mark.parametrize(("value", "expected"), [(False, True), (True, False), (None, None)])
def test_new_bilag_activity_is_new_activity(value: Truth, expected: Truth) -> None:
    """Oon 2019: and no new BILAG activity."""
    answer = scored(new_bilag_activity=value)
    assert answer.criteria[SECOND] is expected
    assert answer.lldas is expected


def test_the_first_visit_cannot_be_compared() -> None:
    answer = scored(previous_visit_sledai_present=None)
    assert answer.criteria == {FIRST: True, SECOND: None, THIRD: True, FOURTH: True, FIFTH: True}
    assert answer.lldas is None
    assert "no_previous_visit" in rules(answer)
    assert "only_serology_is_new" not in rules(answer)
    assert "no_previous_visit" not in rules(scored())


def test_the_first_visit_fails_where_another_criterion_does() -> None:
    assert scored(previous_visit_sledai_present=None, pga=Decimal("1.01")).lldas is False


@pytest.mark.parametrize(
    ("before", "now", "flagged"),
    [
        ((), ("low_complement",), True),
        ((), ("low_complement", "increased_dna_binding"), True),
        (("low_complement",), ("low_complement", "increased_dna_binding"), True),
        (("rash",), ("rash", "increased_dna_binding"), True),
        ((), ("low_complement", "leukopenia"), False),
        ((), ("rash",), False),
        (("low_complement",), ("low_complement",), False),
    ],
)
def test_serology_alone_that_is_new_is_flagged(before: tuple[str, ...], now: tuple[str, ...], *, flagged: bool) -> None:
    """Whether that is new activity is unsettled: Oon's wording counts it, and the flag says that only serology is."""
    answer = scored(sledai_present=now, previous_visit_sledai_present=before)
    assert ("only_serology_is_new" in rules(answer)) is flagged
    assert answer.criteria[SECOND] is (set(now) <= set(before))


@pytest.mark.parametrize(
    ("now", "unknown", "whole", "without"),
    [
        (("low_complement",), (), False, True),
        (("low_complement", "increased_dna_binding"), (), False, True),
        (("low_complement", "rash"), (), False, False),
        ((), ("low_complement",), None, True),
        ((), ("rash",), None, None),
    ],
)
def test_new_serology_does_not_fail_the_reading_that_excludes_serology(
    now: tuple[str, ...], unknown: tuple[str, ...], *, whole: Truth, without: Truth
) -> None:
    """instruments.md §5, registration: irrespective of serology, of what is new as of the points."""
    answer = scored(sledai_present=now, sledai_not_assessed=unknown)
    assert (answer.criteria[SECOND], answer.registration_wording.lldas) == (whole, whole)
    assert answer.registration_wording.lldas_if_serology_excluded is without
