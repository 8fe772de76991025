"""A gap in the rota is told by day, once, to the principal investigator (clinical-safety §3.1)."""

from house import House
from test_main_thread import rota


def texts(house: House) -> list[tuple[str, str]]:
    return [(sent["to"], sent["template"]) for sent in house.work() if sent["template"] == "rota_gap"]


def test_a_gap_within_a_day_is_told_once_a_day_and_by_day(sqlite_house: House) -> None:
    house = sqlite_house
    rota(house, ("on_call", "doctor", -1, 20), ("backup", "backup", -1, 30))  # 09:00 now; on_call ends at 05:00
    assert texts(house) == [(house.chief.phone, "rota_gap")]
    house.turn(hours=3)
    assert texts(house) == []
    house.turn(hours=10)  # 22:00
    assert texts(house) == []
    house.turn(hours=10)  # 08:00, the next day
    assert texts(house) == [(house.chief.phone, "rota_gap")]


def test_a_rota_without_a_gap_is_nobodys_news(sqlite_house: House) -> None:
    house = sqlite_house
    rota(house, ("on_call", "doctor", -1, 25), ("backup", "backup", -1, 25))
    assert texts(house) == []
    assert house.nurse.get(f"/on-call?site_id={house.site_id}").json["gaps"] == []
