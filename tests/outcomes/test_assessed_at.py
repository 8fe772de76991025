"""When an assessment took place: refused where that cannot be, pointed out where it is far from its visit.

Proves that a mistyped date neither passes in silence nor makes a visit its own baseline.
"""

from datetime import timedelta
from typing import Any

import pytest
from house import House, iso

from tests.outcomes.sheets import MILD, assessments, fill, filled
from tests.trial.desk import at, faults, visit


@pytest.fixture
def v14(sqlite_house: House) -> dict[str, Any]:
    return visit(sqlite_house, sqlite_house.infused(days_ago=28), "V14")


def test_an_assessment_does_not_lie_before_screening_could_begin(sqlite_house: House, v14: dict[str, Any]) -> None:
    """Consent was given 30 days ago, and the window of screening is 28 days: a year mistyped is no assessment."""
    house = sqlite_house
    earliest = house.now - timedelta(days=30 + 28)
    for when in (earliest - timedelta(seconds=1), house.now - timedelta(days=365), at(1950, 1, 1, 0)):
        assert faults(fill(house, v14, "pga", MILD, assessed_at=when)) == [("/assessed_at", "before_consent")]
    assert assessments(house) == 0
    filled(house, v14, "pga", MILD, assessed_at=earliest)


# V14 is day 28 and three days around it; infused on 2 February, its window is 27 February to 5 March.
OUTSIDE, AWAY = "assessed_outside_window", "assessed_away_from_attendance"


@pytest.mark.parametrize(
    ("assessed", "attended", "expected"),
    [
        (at(2026, 2, 27, 0), None, []),
        (at(2026, 2, 26, 23, 59), None, [OUTSIDE]),
        (at(2026, 3, 5, 23, 59), None, []),
        (at(2026, 3, 6, 0), None, [OUTSIDE]),
        (at(2026, 3, 6, 9), at(2026, 3, 6, 9), []),  # came late, and was assessed then
        (at(2026, 3, 3, 9), at(2026, 3, 10, 9), []),  # seven days, the length of the window
        (at(2026, 3, 3, 8), at(2026, 3, 10, 9), [AWAY]),
        (at(2026, 3, 10, 10), at(2026, 3, 3, 9), [AWAY]),
    ],
)
def test_an_assessment_far_from_its_visit_is_pointed_out(
    sqlite_house: House, v14: Any, assessed: Any, attended: Any, expected: list[str]
) -> None:
    house = sqlite_house
    house.to(2026, 3, 11, 9)
    if attended is not None:
        came = {"at": iso(attended), "outcome": "attended"}
        assert house.nurse.put(f"/visits/{v14['id']}/attendance", came).status_code == 200
    told = filled(house, v14, "pga", MILD, assessed_at=assessed)["warnings"]
    assert [one for one in told if one in (OUTSIDE, AWAY)] == expected


def test_an_assessment_of_a_visit_without_a_date_lies_outside_nothing(sqlite_house: House) -> None:
    v0 = visit(sqlite_house, sqlite_house.enrol(), "V0")
    assert filled(sqlite_house, v0, "pga", MILD)["warnings"] == ["no_attendance_recorded"]


def test_a_visit_is_never_its_own_baseline(sqlite_house: House) -> None:
    """V16 typed with a day before the infusion: its change is one from screening, not from itself; and V19's too."""
    house = sqlite_house
    consent = {"kind": "trial", "text_version": "1.0", "given_at": iso(house.now - timedelta(days=240))}
    subject = house.infused(days_ago=180, consents=[consent])
    v0, v16, v19 = (visit(house, subject, key) for key in ("V0", "V16", "V19"))
    infused = house.now - timedelta(days=180)

    def change(key: str) -> Any:
        asked = f"/subjects/{subject['id']}/outcomes?outcome=sledai2k&time_point={key}"
        (found,) = house.monitor.get(asked).json["items"]
        return found["detail"]["baseline"], found["value"]

    filled(house, v16, "sledai2k", {"present": ["rash"]}, assessed_at=infused - timedelta(days=2))
    filled(house, v19, "sledai2k", {"present": []})
    assert (change("V16"), change("V19")) == ((None, None), (None, None))
    filled(house, v0, "sledai2k", {"present": ["arthritis", "rash"]}, assessed_at=infused - timedelta(days=9))
    assert (change("V16"), change("V19")) == ((6, -4), (6, -6))
