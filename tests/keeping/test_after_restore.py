"""What a restored installation does: nobody is signed in, nothing old is sent, whoever was in danger pages again."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, entry_body, iso

from backend import installation, outbox
from backend.db import db, transaction
from backend.models.outbox import FINAL_STATES, TOLD_STATES, Message, MessageEvent
from backend.models.people import ActivationCode, Device, TokenFamily
from backend.models.record import AuditEvent
from backend.models.safety import Acknowledgement, Episode, Signal
from backend.models.study import Installation, Site, WorkerHeartbeat
from backend.models.subject import Subject
from notifications import hours, ladder
from tests.keeping.acts import episode, patient_at, refused, run, signed_in

MADE_AT = "2026-03-03T07:00:00+08:00"


# --- who may come in -----------------------------------------------------------------------------


def test_nobody_is_signed_in_any_more(back: House) -> None:
    for person in back.people.values():
        answer = person.get("/me")
        assert (answer.status_code, answer.json["code"]) == (401, "token_revoked")
    ended = back.rows(sa.select(TokenFamily))
    assert {(one.revoked_at, one.revoked_why) for one in ended} == {(back.now, "restored")}


def test_a_phone_comes_back_by_its_pin_and_is_told_to_offer_again(sqlite_back: House) -> None:
    [device] = sqlite_back.rows(sa.select(Device.id).where(Device.account_id == sqlite_back.made.patient))
    pin = {"device_id": str(device), "pin": "4821", "transport": "bearer"}
    answer = sqlite_back.app.test_client().post("/api/v1/auth/sign-in", json=pin)
    assert answer.status_code == 200, answer.text
    patient = patient_at(sqlite_back)
    told = {patient.get(door).json["server_epoch"] for door in ("/me", "/me/today")}
    [row] = sqlite_back.rows(sa.select(Installation))
    assert told == {str(row.server_epoch)} != {str(sqlite_back.made.epoch)}
    assert row.restored_at == sqlite_back.now


def test_a_locked_phone_still_sends_a_fever(sqlite_back: House) -> None:
    patient = patient_at(sqlite_back)
    header = {"Authorization": f"Device {sqlite_back.made.credential}"}
    body = entry_body(sqlite_back, patient, {"temp_c": 38.9})
    answer = sqlite_back.app.test_client().put(f"/api/v1/me/entries/{uuid4()}", json=body, headers=header)
    assert (answer.status_code, answer.json["page"]) == (201, "queued"), answer.text


def test_a_code_that_may_have_been_used_works_no_more(sqlite_back: House) -> None:
    codes = sqlite_back.rows(sa.select(ActivationCode).where(ActivationCode.used_at.is_(None)))
    assert [one.revoked_at for one in codes] == [sqlite_back.now]


# --- danger --------------------------------------------------------------------------------------


def test_every_open_episode_pages_again(back: House) -> None:
    texts = " ".join(one["text"] for one in back.pages())  # and of phones silent meanwhile, which is nothing new
    for which in (back.made.accepted, back.made.paging):
        row = episode(back, which)
        assert (row.accepted_seq, row.accepted_at, row.accepted_by) == (0, None, None)
        assert row.ladder_step == 1
        assert f"Page {row.page_number} again, 07:15" in texts
        pages = back.rows(sa.select(Message).where(Message.episode_id == which, Message.due_at == back.now))
        assert {one.state for one in pages} == {"accepted"}
    raised = back.rows(sa.select(AuditEvent).where(AuditEvent.verb == "episode:raised_again"))
    made = back.made
    assert {row.entity_id for row in raised} == {str(one) for one in (made.accepted, made.paging, made.worklist)}
    assert {row.reason for row in raised} == {"restored"}


def test_who_accepted_stays_known_and_may_accept_again(back: House) -> None:
    kept = back.rows(sa.select(Acknowledgement).where(Acknowledgement.episode_id == back.made.accepted))
    assert [one.kind for one in kept] == ["accepted"]
    back.work()
    signed_in(back)
    seen = back.doctor.get(f"/episodes/{back.made.accepted}").json
    assert seen["paging"] is True
    body = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": seen["last_seq"]}
    assert back.doctor.post(f"/episodes/{back.made.accepted}/acknowledgements", body).status_code == 201
    back.turn(minutes=10)
    back.work()
    row = episode(back, back.made.accepted)
    assert (row.accepted_at, row.ladder_step, row.next_step_at) == (back.now - timedelta(minutes=10), 1, None)


def test_numbers_given_out_since_the_backup_are_not_given_again(sqlite_back: House) -> None:
    """Page 1007 on a doctor's phone must not open another patient; nor may a console take new for known."""
    [site] = sqlite_back.rows(sa.select(Site).where(Site.id == sqlite_back.site_id))
    assert site.next_page_number == sqlite_back.made.pages + 1000
    assert site.change_seq > sqlite_back.made.changes + 1_000_000
    assert episode(sqlite_back, sqlite_back.made.accepted).change_seq > sqlite_back.made.changes + 1_000_000


def test_what_was_seen_since_the_backup_accepts_nothing_that_comes_after(sqlite_back: House) -> None:
    """A doctor's "I saw the signals up to 12" may reach us late: signal 12 is another one by then."""
    with sqlite_back.app.app_context(), transaction(writes=False):
        rows = sa.select(Subject.id, Subject.signal_seq, sa.func.coalesce(sa.func.max(Signal.seq), 0))
        counted = db.session.execute(rows.outerjoin(Signal).group_by(Subject.id)).all()
    assert any(last for _, _, last in counted)
    assert {count - last for _, count, last in counted} == {1000}


# --- texts ---------------------------------------------------------------------------------------


def test_what_waited_is_ended_and_what_was_taken_stays(back: House) -> None:
    waited = back.rows(sa.select(Message).where(Message.reason == "restored"))
    assert {(one.lane, one.state) for one in waited} == {
        ("page", "cancelled"), ("reminder", "cancelled"), ("reminder", "expired"),
    }  # fmt: skip
    assert all(one.finished_at == back.now for one in waited)
    rest = back.rows(sa.select(Message.state).where(Message.reason.is_(None)))
    assert set(rest) <= {*FINAL_STATES, *TOLD_STATES}
    assert "accepted" in rest
    noted = back.rows(sa.select(MessageEvent).where(MessageEvent.origin == "restore"))
    assert {one.message_id for one in noted} == {one.id for one in waited}


def reminded(house: House, *times: tuple[int, ...]) -> list[str]:
    """What else but pages the worker sends at these local times."""
    sent = []
    for local in times:
        house.to(*local)
        sent += [one["template"] for one in house.work() if one["lane"] == outbox.REMINDER]
    return sent


def test_without_a_restore_the_texts_go_out(sqlite_lived: House) -> None:
    """So that the next test says something."""
    sent = reminded(sqlite_lived, (2026, 3, 3, 7, 15))
    assert "diary_and_visit_today" in sent


def test_no_text_goes_out_on_the_day_of_the_restore_and_all_do_on_the_next(sqlite_back: House) -> None:
    day = [(2026, 3, 3, hour, minute) for hour in range(8, 24, 3) for minute in (0, 40)]
    assert reminded(sqlite_back, (2026, 3, 3, 7, 15), (2026, 3, 3, 7, 50), *day) == []
    morning = reminded(sqlite_back, (2026, 3, 4, 7, 0))
    assert morning
    assert all("today" in template or "soon" in template for template in morning)


def test_the_worklists_digest_waits_for_the_next_working_hours(sqlite_back: House) -> None:
    """It is due twelve hours after the restore, at 19:15, while people still work."""
    digests = sa.select(Message.due_at).where(Message.template == "digest")
    before = sqlite_back.rows(digests)
    for local, posted in (((2026, 3, 3, 9, 0), 0), ((2026, 3, 3, 19, 30), 0), ((2026, 3, 4, 8, 0), 1)):
        sqlite_back.to(*local)
        with sqlite_back.app.app_context():
            ladder.run_due(sqlite_back.now)
        assert len(sqlite_back.rows(digests)) - len(before) == posted, local
    assert sqlite_back.now in sqlite_back.rows(digests)


def test_a_calendar_that_changes_that_day_plans_no_text(sqlite_back: House) -> None:
    signed_in(sqlite_back)
    subjects = sqlite_back.nurse.get("/subjects").json["items"]
    body = {"id": str(uuid4()), "at": iso(sqlite_back.now + timedelta(hours=8)), "reason": "looks pale"}
    answer = sqlite_back.nurse.post(f"/subjects/{subjects[-1]['id']}/visits", body)
    assert answer.status_code == 201, answer.text
    new = sa.select(Message).where(Message.lane == outbox.REMINDER, Message.created_at >= sqlite_back.now)
    assert sqlite_back.rows(new) == []


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Asia/Shanghai", date(2026, 3, 3)),
        ("America/New_York", date(2026, 3, 2)),
        ("Pacific/Auckland", date(2026, 3, 3)),
    ],
)
def test_the_day_is_the_recipients(zone: str, told: date) -> None:
    restored_at = datetime(2026, 3, 3, 4, 59, tzinfo=UTC)  # 23:59 in New York
    assert hours.perhaps_told(told, zone, restored_at)
    assert not hours.perhaps_told(told + timedelta(days=1), zone, restored_at)
    assert not hours.perhaps_told(told, zone, None)


# --- brought back by other means -----------------------------------------------------------------


def test_a_database_brought_back_by_other_means_is_made_fit_in_place(lived: House) -> None:
    [before] = lived.rows(sa.select(Installation.server_epoch))
    lived.turn(minutes=15)
    said = run(lived.app, "after-restore", "--made-at", MADE_AT)
    assert "3 open episodes page again" in said
    assert "Record again what happened since the backup: who died, left the trial or was admitted." in said
    [row] = lived.rows(sa.select(Installation))
    assert (row.restored_at, row.server_epoch != before) == (lived.now, True)
    assert lived.nurse.get("/me").status_code == 401
    sent = lived.work()
    assert {one["lane"] for one in sent} == {"page"}
    [kept] = lived.rows(sa.select(AuditEvent).where(AuditEvent.verb == "installation:restored"))
    assert (kept.new["made_at"], kept.new["chains"]) == ("2026-03-02T23:00:00Z", None)
    assert run(lived.app, "audit", "verify").endswith("intact\n")


def test_not_under_a_worker_that_runs(sqlite_lived: House) -> None:
    house = sqlite_lived
    words = ("after-restore", "--made-at", MADE_AT)
    with house.app.app_context(), transaction():
        db.session.add(WorkerHeartbeat(name="ladder", at=house.now))
    house.turn(seconds=59)
    assert "a worker runs" in refused(house.app, *words)
    assert house.rows(sa.select(Installation.restored_at)) == [None]
    house.turn(seconds=1)
    run(house.app, *words)
    run(house.app, *words, "--force")


NO_INSTANTS = {
    "yesterday": "not an instant",
    "0001-01-01T00:00:00+14:00": "not an instant",
    "2026-03-02T07:00:00": "offset",
    "2031-01-01T00:00:00Z": "future",
}


@pytest.mark.parametrize("words", [("after-restore", "--made-at"), ("export", "--output", "never.zip", "--as-of")])
def test_a_command_takes_an_instant_of_the_past_with_its_offset(
    sqlite_lived: House, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given, said in NO_INSTANTS.items():
        done = sqlite_lived.app.test_cli_runner().invoke(args=[*words, given])
        assert (done.exit_code, said in done.output) == (2, True), done.output
    assert sqlite_lived.rows(sa.select(Installation.restored_at)) == [None]
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_its_guards_is_not_worked_on(sqlite_lived: House) -> None:
    with sqlite_lived.app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER keep_signal_update")
    assert "keep_signal_update" in refused(sqlite_lived.app, "after-restore", "--made-at", MADE_AT)


def test_an_episode_that_is_closed_stays_closed(sqlite_lived: House) -> None:
    house = sqlite_lived
    found = house.doctor.get(f"/episodes/{house.made.accepted}").json
    body, version = {"outcome": "none"}, f'"{found["version"]}"'
    assert house.doctor.post(f"/episodes/{found['id']}/close", body, **{"If-Match": version}).status_code == 200
    run(house.app, "after-restore", "--made-at", MADE_AT)
    row = episode(house, house.made.accepted)
    assert (row.closed_at, row.next_step_at) == (house.now, None)
    with house.app.app_context(), transaction(writes=False):
        assert installation.restored_at() == house.now
    assert len(house.rows(sa.select(Episode).where(Episode.next_step_at.is_not(None)))) == 2
