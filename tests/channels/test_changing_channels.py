"""Two who change a site's channels at once, and keys that cannot be opened."""

from collections import Counter
from typing import Any

import pytest
from house import House

from backend import channels
from backend.db import db, transaction
from backend.models.outbox import Message
from notifications import ladder
from tests.channels.conftest import KEY, Ways, path_of, put, report_fever, shown, with_a_patient
from tests.records.test_concurrency import at_once
from tests.trial.desk import faults

FURNISH = with_a_patient

WECOM = {"gateway": "wecom", "rung": 1, "secrets": {"key": KEY}}


def test_of_two_who_read_the_same_one_changes_it(house: House) -> None:
    put(house, "wecom", WECOM)
    match = {"If-Match": f'"{shown(house, "wecom")["version"]}"'}

    def change(rung: int) -> Any:
        return lambda: house.admin.put(path_of(house, "wecom"), {**WECOM, "rung": rung}, **match).status_code

    assert Counter(at_once(change(1), change(2))) == {200: 1, 412: 1}


def test_of_two_who_set_it_first_one_does(house: House) -> None:
    def first(key: str) -> Any:
        body = {**WECOM, "secrets": {"key": key}}
        return lambda: house.admin.put(path_of(house, "wecom"), body).status_code

    assert Counter(at_once(first("one"), first("two"))) == {200: 1, 428: 1}


def lose_the_key(house: House, medium: str) -> None:
    """What is sealed was sealed with a field key that is not here."""
    with house.app.app_context(), transaction():
        row = channels.find(house.site_id, medium)
        assert row is not None
        assert row.sealed is not None
        row.sealed = bytes([200]) + row.sealed[1:]


def test_keys_that_cannot_be_opened_are_entered_anew(house: House) -> None:
    put(house, "wecom", WECOM)
    lose_the_key(house, "wecom")
    assert (shown(house, "wecom")["secrets"], shown(house, "wecom")["warnings"]) == ([], ["keys_unreadable"])
    assert faults(put(house, "wecom", {"gateway": "wecom", "rung": 2})) == [
        ("/secrets", "required"),
        ("/secrets/key", "required"),
    ]
    assert put(house, "wecom", WECOM).status_code == 200
    assert (shown(house, "wecom")["secrets"], shown(house, "wecom")["warnings"]) == (["key"], [])


def test_a_change_of_the_rung_alone_forgets_no_address(quick: Ways) -> None:
    """The installation has a platform too: without the refusal texts would go to that one, and still be "accepted"."""
    quick.platform()
    lose_the_key(quick.house, "sms")
    answer = put(quick.house, "sms", {"gateway": "http", "rung": 2})
    assert ("/secrets", "required") in faults(answer)


def test_a_page_waits_for_keys_that_are_not_here_and_its_ladder_moves(quick: Ways) -> None:
    quick.robot("wecom")
    lose_the_key(quick.house, "wecom")
    report_fever(quick.house)
    quick.turn()
    waiting = quick.rows(Message.medium == "wecom")
    assert {(row.state, row.reason) for row in waiting} == {("pending", "keys_unreadable")}
    assert {row.template for row in waiting} >= {"page", "page_again"}, "the next step came at once"


@pytest.mark.parametrize(("medium", "ends"), [("sms", ("accepted", None)), ("wecom", ("failed", "no_channel"))])
def test_a_channel_that_is_gone(quick: Ways, medium: str, ends: tuple[str, str | None]) -> None:
    """Texts go by the installation's gateway again; what waited for a robot fails for good, and is seen."""
    quick.set("sms", "console")
    quick.robot("wecom")
    report_fever(quick.house)
    with quick.house.app.app_context():
        ladder.run_due(quick.house.now)
    with quick.house.app.app_context(), transaction():
        row = channels.find(quick.house.site_id, medium)
        db.session.delete(row)
    quick.turn()
    pages = quick.rows(Message.medium == medium, Message.template == "page")
    assert {(one.state, one.reason) for one in pages} == {ends}
