"""SRI-4 over the BILAG systems that the registration means: a new A in a system it leaves out does not count there."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from backend.analysis import response
from backend.analysis.response import Scored, Visit
from backend.instruments import sledai2k
from backend.instruments.bilag2004 import Graded
from backend.instruments.bilag_items import SYSTEMS


def scored(present: set[str], letters: dict[str, str]) -> Scored:
    visit = Visit(uuid4(), "V16", 90, datetime(2026, 3, 2, tzinfo=UTC), {"treatment": {"rescue_treatment": False}})
    bilag = {system: Graded(letters.get(system, "D"), False, (), None) for system in SYSTEMS}
    sledai = sledai2k.score(present, (), sledai2k.Labs())
    return Scored(visit, frozenset(present), frozenset(), sledai, (), Decimal(1), bilag)


@pytest.mark.parametrize(
    ("systems", "responder", "new_a"),
    [
        (SYSTEMS, False, ["ophthalmic"]),
        (tuple(one for one in SYSTEMS if one != "ophthalmic"), True, []),
    ],
)
def test_a_system_that_the_registration_leaves_out(systems: tuple[str, ...], responder: bool, new_a: list[str]) -> None:
    before, now = scored({"arthritis", "rash"}, {}), scored({"rash"}, {"ophthalmic": "A"})
    found = response.sri4_of(before, now, systems)
    assert (found.responder, list(found.new_bilag_a)) == (responder, new_a)
