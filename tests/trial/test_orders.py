"""Three orders of treatment and the calendar each of them gives; what cannot have happened is refused with a path."""

from house import House, iso

from tests.trial.desk import Subject, ago, at, correct, faults, refused, send, visit, z

BEGUN = ("V0", "V1", "V2", "V3")


def planned(house: House, subject: Subject, key: str) -> tuple[str, str, str, str, int]:
    one = visit(house, subject, key)
    return one["status"], one["target_on"], one["earliest_on"], one["latest_on"], one["day"]


def test_collect_lymphodeplete_infuse(sqlite_house: House) -> None:
    """(a) Collected 9 March, lymphodepletion from 11 March 08:00, infused 16 March 10:00."""
    house = sqlite_house
    subject = house.enrol()
    house.to(2026, 3, 16, 12)
    for kind, when in (
        ("collection", at(2026, 3, 9, 9)),
        ("lymphodepletion", at(2026, 3, 11, 8)),
        ("infusion", at(2026, 3, 16, 10)),
    ):
        assert send(house, subject, kind, actual_at=when).status_code == 201
    # V0: collection −14 (−28 … −1); lymphodepletion begins later than that window ends, so the window stands.
    assert planned(house, subject, "V0") == ("missed", "2026-02-23", "2026-02-09", "2026-03-08", -21)
    assert planned(house, subject, "V1") == ("done", "2026-03-09", "2026-03-09", "2026-03-09", -7)
    assert planned(house, subject, "V2") == ("done", "2026-03-11", "2026-03-11", "2026-03-13", -5)
    assert planned(house, subject, "V3") == ("done", "2026-03-16", "2026-03-16", "2026-03-16", 0)
    assert planned(house, subject, "V14") == ("not_yet", "2026-04-13", "2026-04-10", "2026-04-16", 28)
    assert planned(house, subject, "V19") == ("not_yet", "2026-09-12", "2026-08-29", "2026-09-26", 180)


def test_lymphodeplete_then_collect_and_infuse_on_one_day(sqlite_house: House) -> None:
    """(b) V0 is a baseline: though collection is on 16 March, it closes when lymphodepletion begins on the 11th."""
    house = sqlite_house
    subject = house.enrol()
    assert send(house, subject, "collection", planned_at=at(2026, 3, 16, 9)).status_code == 201
    assert send(house, subject, "infusion", planned_at=at(2026, 3, 16, 10)).status_code == 201
    assert planned(house, subject, "V0") == ("due", "2026-03-02", "2026-02-16", "2026-03-15", -14)
    assert visit(house, subject, "V0")["closes_at"] == z(2026, 3, 16)
    assert planned(house, subject, "V2")[0] == "not_dated"  # it may still come
    assert send(house, subject, "lymphodepletion", planned_at=at(2026, 3, 11, 8)).status_code == 201
    assert visit(house, subject, "V0")["closes_at"] == z(2026, 3, 11, 8)
    house.to(2026, 3, 11, 7, 59)
    assert visit(house, subject, "V0")["status"] == "overdue"
    house.turn(minutes=1)
    assert visit(house, subject, "V0")["status"] == "missed"
    house.to(2026, 3, 11, 9)
    assert correct(house, subject, "lymphodepletion", actual_at=at(2026, 3, 11, 8, 30)).status_code == 200
    assert visit(house, subject, "V0")["closes_at"] == z(2026, 3, 11, 8, 30)
    assert planned(house, subject, "V0") == ("missed", "2026-03-02", "2026-02-16", "2026-03-11", -14)
    house.to(2026, 3, 16, 12)
    # One instant for both: a product made at the bedside in ten minutes, written down as one time.
    assert correct(house, subject, "collection", actual_at=at(2026, 3, 16, 10)).status_code == 200
    assert correct(house, subject, "infusion", actual_at=at(2026, 3, 16, 10)).status_code == 200
    assert [visit(house, subject, key)["status"] for key in BEGUN] == ["missed", "done", "done", "done"]
    assert [visit(house, subject, key)["day"] for key in BEGUN] == [-14, 0, -5, 0]
    assert planned(house, subject, "V4") == ("not_yet", "2026-03-17", "2026-03-17", "2026-03-17", 1)


def test_without_lymphodepletion(sqlite_house: House) -> None:
    """(c) Collected and infused on one day, nothing between: V2 is not asked for."""
    house = sqlite_house
    subject = house.enrol()
    assert send(house, subject, "collection", actual_at=at(2026, 3, 2, 8)).status_code == 201
    assert visit(house, subject, "V2")["status"] == "not_dated"
    assert send(house, subject, "infusion", actual_at=at(2026, 3, 2, 8, 10)).status_code == 201
    two = visit(house, subject, "V2")
    assert (two["status"], two["excused"], two["due_at"]) == ("not_applicable", "not_in_order", None)
    assert [visit(house, subject, key)["status"] for key in ("V1", "V3")] == ["done", "done"]
    assert visit(house, subject, "V0")["closes_at"] == z(2026, 3, 2)  # the eve of collection ends it
    listed = house.nurse.get("/calendar?status=not_dated").json["items"]
    assert listed == []
    # Lymphodepletion after all, found in the file a day later: V2 is there again.
    house.turn(days=1)
    assert send(house, subject, "lymphodepletion", actual_at=at(2026, 2, 27, 8)).status_code == 201
    assert planned(house, subject, "V2") == ("done", "2026-02-27", "2026-02-27", "2026-03-01", -3)


def test_a_screening_attended_is_kept_when_lymphodepletion_begins(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    send(house, subject, "collection", planned_at=at(2026, 3, 16, 9))
    door = f"/visits/{visit(house, subject, 'V0')['id']}/attendance"
    assert house.nurse.put(door, {"at": iso(house.now), "outcome": "attended"}).status_code == 200
    house.turn(hours=1)
    send(house, subject, "lymphodepletion", actual_at=house.now)
    zero = visit(house, subject, "V0")
    assert (zero["status"], zero["satisfied_at"], zero["closes_at"]) == ("done", z(2026, 3, 2, 9), z(2026, 3, 2, 10))


IMPOSSIBLE: list[tuple[dict[str, int], dict[str, int]]] = [  # kind: days ago
    ({"collection": 5}, {"infusion": 6}),  # infused before its cells were collected
    ({"infusion": 6}, {"collection": 5}),
    ({"infusion": 6}, {"lymphodepletion": 5}),
    ({"lymphodepletion": 5}, {"infusion": 6}),
    ({"consent": 5}, {"collection": 6}),
    ({"consent": 5}, {"lymphodepletion": 6}),
    ({"consent": 5}, {"infusion": 6}),
    ({"infusion": 6}, {"consent": 5}),
]


def test_an_impossible_order_is_refused(sqlite_house: House) -> None:
    """What is asked second lies on the wrong side of what stands; the same instant is possible, one visit for both."""
    house = sqlite_house
    for n, (first, then) in enumerate(IMPOSSIBLE):
        subject = house.enrol(number=f"{n:03}")
        ((stands, standing),), ((kind, days),) = first.items(), then.items()
        assert send(house, subject, stands, actual_at=ago(house, days=standing)).status_code == 201
        answer = send(house, subject, kind, actual_at=ago(house, days=days))
        assert faults(answer) == [("/actual_at", "out_of_order")], (first, then)
        assert send(house, subject, kind, actual_at=ago(house, days=standing)).status_code == 201


def test_a_correction_is_held_to_the_same_order(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    for kind, days in (("collection", 6), ("lymphodepletion", 5), ("infusion", 2)):
        send(house, subject, kind, actual_at=ago(house, days=days))
    for kind, days in (("collection", 1), ("infusion", 7), ("infusion", 5.5), ("lymphodepletion", 1)):
        answer = correct(house, subject, kind, actual_at=ago(house, days=days))
        assert set(faults(answer)) == {("/actual_at", "out_of_order")}
    assert correct(house, subject, "infusion", actual_at=ago(house, days=3)).status_code == 200


def test_events_that_say_nothing_or_too_much_are_refused(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    assert faults(send(house, subject, "surgery", actual_at=house.now)) == [("/kind", "not_allowed")]
    assert faults(send(house, subject, "infusion")) == [("/actual_at", "required")]
    assert faults(send(house, subject, "infusion", actual_at=ago(house, minutes=-6))) == [
        ("/actual_at", "in_the_future")
    ]
    assert faults(send(house, subject, "infusion", actual_at=house.now, place="ward")) == [("/place", "not_allowed")]
    assert faults(send(house, subject, "collection", actual_at=house.now, scope=["texts"])) == [
        ("/scope", "not_allowed")
    ]
    assert faults(send(house, subject, "completion", actual_at=house.now)) == [("/kind", "out_of_order")]
    assert faults(send(house, subject, "death", planned_at=house.now)) == [("/actual_at", "required")]
    assert send(house, subject, "infusion", actual_at=ago(house, minutes=-4)).status_code == 201  # the ward's clock
    assert refused(send(house, subject, "infusion", actual_at=house.now)) == (409, "conflict")
    assert refused(house.monitor.post(f"/subjects/{subject['id']}/events", {})) == (403, "forbidden")
