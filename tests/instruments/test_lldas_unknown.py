"""LLDAS, what is not known: an answer to unknown inputs is what all that they may be agree on."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from itertools import chain, combinations, product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.instruments.lldas import LowActivity
from backend.instruments.logic import Truth
from tests.instruments.lldas_visits import ALL, scored

OPEN: Mapping[str, tuple[Any, ...]] = {
    "haemolytic_anaemia": (True, False),
    "gastrointestinal_activity": (True, False),
    "new_bilag_activity": (True, False),
    "pga": (Decimal(0), Decimal(1), Decimal("1.01"), Decimal(3)),
    "prednisolone_mg_per_day": (Decimal(0), Decimal("7.5"), Decimal("7.51"), Decimal(60)),
    "standard_stable_immunosuppression": (True, False),
}


def subsets(of: Collection[str]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(sorted(of), size) for size in range(len(of) + 1)))


@st.composite
def visits(draw: st.DrawFn) -> dict[str, Any]:
    """Few descriptors present, few not assessed, and up to two other inputs unknown."""
    few = st.lists(st.sampled_from(ALL), max_size=3, unique=True)
    present, not_assessed, before = draw(few), draw(few), draw(few)
    unknown = draw(st.lists(st.sampled_from(sorted(OPEN)), max_size=2, unique=True))
    mild = {name: st.sampled_from(values) for name, values in OPEN.items()}
    return {
        **draw(st.fixed_dictionaries(mild)),
        "sledai_present": present,
        "sledai_not_assessed": [one for one in not_assessed if one not in present],
        "previous_visit_sledai_present": [*before, *draw(st.sampled_from([[], present, not_assessed]))],
        **dict.fromkeys(unknown),
    }


def outcomes(answer: LowActivity) -> tuple[Truth, ...]:
    wording = answer.registration_wording
    return (answer.lldas, *answer.criteria.values(), wording.lldas, wording.lldas_if_serology_excluded)


@given(visits())
def test_the_answer_is_what_all_completions_say(visit: dict[str, Any]) -> None:
    """Nothing that is known contradicts an answer, and no answer is withheld that all completions share."""
    unknown = {name: OPEN[name] for name in OPEN if visit[name] is None}
    whole = []
    for found in subsets(visit["sledai_not_assessed"]):
        known = {**visit, "sledai_present": [*visit["sledai_present"], *found], "sledai_not_assessed": []}
        for chosen in product(*unknown.values()):
            whole.append(outcomes(scored(**{**known, **dict(zip(unknown, chosen, strict=True))})))
    expected = tuple(column[0] if len(set(column)) == 1 else None for column in zip(*whole, strict=True))
    assert outcomes(scored(**visit)) == expected
