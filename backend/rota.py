"""The rota of a site: who carries the pager when, its gaps, and its replacement from now on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, policy
from backend.db import db
from backend.errors import Problem, invalid
from backend.models.people import Account, AccountSite, OnCallShift
from backend.models.study import Site
from schedules.faults import Fault

DUTIES = ("on_call", "backup")
EARLIEST_CONFIRMATION = timedelta(hours=1)
AHEAD = timedelta(hours=24)  # how far a gap is told before it opens


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nobody has the duty."""

    duty: str
    since: datetime
    until: datetime


def shifts_of(site_id: UUID, since: datetime) -> tuple[OnCallShift, ...]:
    """Shifts that end after `since`, by start."""
    return tuple(
        db.session.scalars(
            sa.select(OnCallShift)
            .where(OnCallShift.site_id == site_id, OnCallShift.ends_at > since)
            .order_by(OnCallShift.starts_at, OnCallShift.duty, OnCallShift.id)
        )
    )


def gaps(shifts: Iterable[OnCallShift], since: datetime, until: datetime) -> tuple[Gap, ...]:
    """Every stretch of [since, until) that no shift of a duty covers."""
    rota = sorted(shifts, key=lambda shift: shift.starts_at)
    found = []
    for duty in DUTIES:
        covered = since
        for shift in (shift for shift in rota if shift.duty == duty):
            if shift.starts_at > covered and covered < until:
                found.append(Gap(duty, covered, min(shift.starts_at, until)))
            covered = max(covered, shift.ends_at)
        if covered < until:
            found.append(Gap(duty, covered, until))
    return tuple(found)


def replace(site: Site, shifts: list[Mapping[str, Any]], by: UUID) -> None:
    """Make the present and future rota of the site exactly this; shifts that have ended stay on record.

    Each: id, duty, account_id, starts_at, ends_at. The site's row is locked and matched by the caller.
    """
    now = clock.now()
    faults = [fault for i, shift in enumerate(shifts) for fault in _faults(site.id, shift, f"/shifts/{i}", now)]
    ids = [shift["id"] for shift in shifts]
    faults.extend(Fault(f"/shifts/{i}/id", "duplicate", "twice in one rota") for i, x in enumerate(ids) if x in ids[:i])
    stored = {row.id: row for row in db.session.scalars(sa.select(OnCallShift).where(OnCallShift.id.in_(ids)))}
    faults.extend(
        Fault(f"/shifts/{i}/id", "id_taken", "this id belongs to another shift")
        for i, shift in enumerate(shifts)
        if shift["id"] in stored and (stored[shift["id"]].site_id != site.id or stored[shift["id"]].ends_at <= now)
    )
    if faults:
        raise invalid(*faults)
    before = {row.id: row for row in shifts_of(site.id, now)}
    old = [_spoken(row) for row in before.values()]
    for shift in shifts:
        row = before.pop(shift["id"], None)
        if row is None:
            db.session.add(OnCallShift(site_id=site.id, entered_by=by, version=1, **shift))
            continue
        for name, value in shift.items():
            setattr(row, name, value)
        row.version += 1
    for row in before.values():
        db.session.delete(row)
    site.version += 1
    db.session.flush()
    new = [_spoken(row) for row in shifts_of(site.id, now)]
    audit.record("rota:changed", "site", site.id, old=old, new=new)


def confirm(shift_id: UUID, by: UUID) -> OnCallShift:
    """The holder says "I have it", from an hour before the shift begins until it ends. Twice is once."""
    shift = db.session.get(OnCallShift, shift_id, with_for_update=True, populate_existing=True)
    if shift is None or shift.account_id != by:
        raise Problem("not_found")
    now = clock.now()
    if not shift.starts_at - EARLIEST_CONFIRMATION <= now < shift.ends_at:
        raise Problem("conflict", "a shift is confirmed from an hour before it begins until it ends")
    if shift.confirmed_at is None:
        shift.confirmed_at = now
        db.session.flush()
        audit.record("shift:confirmed", "on_call_shift", shift.id)
    return shift


def _spoken(row: OnCallShift) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "duty", "account_id", "starts_at", "ends_at")}


def _faults(site_id: UUID, shift: Mapping[str, Any], path: str, now: datetime) -> Iterable[Fault]:
    if shift["ends_at"] <= shift["starts_at"]:
        yield Fault(f"{path}/ends_at", "out_of_order", "a shift ends after it starts")
    if shift["ends_at"] - shift["starts_at"] > timedelta(days=31):
        yield Fault(f"{path}/ends_at", "out_of_range", "a shift lasts at most 31 days")
    if shift["ends_at"] <= now:
        yield Fault(f"{path}/ends_at", "in_the_past", "this shift has ended")
    yield from carrier_faults(site_id, shift["account_id"], f"{path}/account_id")


def carrier_faults(site_id: UUID, account_id: UUID, path: str) -> Iterable[Fault]:
    """Why this person could not be paged at the site."""
    carrier = db.session.execute(
        sa.select(Account)
        .join(AccountSite, AccountSite.account_id == Account.id)
        .where(Account.id == account_id, AccountSite.site_id == site_id, Account.active)
    ).scalar_one_or_none()
    if carrier is None or not policy.permits(carrier.role, "episode:answer"):
        yield Fault(path, "not_allowed", "nobody of this id answers pages at the site")
    elif carrier.phone_sealed is None:
        yield Fault(path, "no_phone", "this person has no telephone number on record")
