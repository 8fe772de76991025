"""Who may do what at a site, from when to when: tasks, approved by the principal investigator; and who was trained.

An act outside a delegated task is refused. The principal investigator holds every task by office. Reading and
answering danger (accepting a page, calling the patient) belong to no task: no paperwork stands before them.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import audit, clock, repeats
from backend.db import db, lock_subject
from backend.errors import Problem, fault, invalid
from backend.models.conduct import Delegation, Training
from backend.models.people import Account, AccountSite
from backend.models.study import Site
from backend.models.subject import Subject
from backend.policy import permits
from schedules.faults import Fault
from schedules.windows import local_date

BY_OFFICE = "principal_investigator"
# Each task and the acts (keys of `policy.ACTIONS`) that it stands for.
TASKS: dict[str, frozenset[str]] = {
    "consent": frozenset({"subject:enrol", "consent:record"}),
    "follow_up": frozenset(
        {
            "subject:change",
            "event:record",
            "visit:plan",
            "excuse:record",
            "entry:on_behalf",
            "activation:issue",
            "device:end",
        }
    ),
    "correction": frozenset({"event:correct", "entry:correct"}),
    "laboratory": frozenset({"measurement:record"}),
    "medication": frozenset({"medication:record"}),
    "product": frozenset({"product:record"}),
    "data_query": frozenset({"query:answer"}),
    "grading": frozenset({"episode:grade"}),
    "adverse_event": frozenset({"adverse_event:record"}),
    "assessment": frozenset({"assessment:record", "assessment:sign"}),
}
_TASK_OF = {action: task for task, actions in TASKS.items() for action in actions}


def require(account: Account, action: str, site_id: UUID) -> None:
    """Refuse an act whose task is not delegated to this person at this site today."""
    task = _TASK_OF.get(action)
    if task is None or account.role == BY_OFFICE or account.kind != "staff":
        return
    site = db.session.get_one(Site, site_id)
    if not site.delegates:
        return
    today = local_date(clock.now(), site.time_zone)
    if db.session.execute(_holding(account.id, site_id, today).where(Delegation.task == task)).first() is None:
        raise Problem("not_delegated", f"the task {task!r} is not delegated to you at this site today")


def _holding(account_id: UUID, site_id: UUID, today: date) -> sa.Select[Any]:
    return sa.select(Delegation.task).where(
        Delegation.account_id == account_id,
        Delegation.site_id == site_id,
        Delegation.approved_at.is_not(None),
        Delegation.ended_at.is_(None),
        Delegation.valid_from <= today,
        sa.or_(Delegation.valid_to.is_(None), Delegation.valid_to >= today),
    )


def request(site: Site, content: Mapping[str, Any], by: UUID | None) -> tuple[Delegation, bool]:
    """Ask for a task: id, account_id, task, valid_from, valid_to. It counts once it is approved."""
    said = {name: content.get(name) for name in ("account_id", "task", "valid_from", "valid_to")}
    stored = repeats.stored(Delegation, content["id"], site_id=site.id, **said)
    if stored is not None:
        return stored, False
    faults = []
    works_here = sa.select(Account).join(AccountSite, AccountSite.account_id == Account.id)
    person = db.session.execute(
        works_here.where(Account.id == content["account_id"], AccountSite.site_id == site.id)
    ).scalar_one_or_none()
    if person is None:
        faults.append(Fault("/account_id", "not_allowed", "nobody of this site"))
    elif content["task"] not in tasks_for(person.role):
        faults.append(Fault("/task", "not_allowed", f"no task for a {person.role}"))
    if content.get("valid_to") is not None and content["valid_to"] < content["valid_from"]:
        faults.append(Fault("/valid_to", "out_of_order", "it ends before it begins"))
    if faults:
        raise invalid(*faults)
    row = Delegation(id=content["id"], site_id=site.id, requested_by=by, requested_at=clock.now(), version=1, **said)
    db.session.add(row)
    db.session.flush()
    audit.record("delegation:requested", "delegation", row.id, new={**said, "site": site.id})
    return row, True


def tasks_for(role: str) -> tuple[str, ...]:
    """The tasks of which a role may do anything at all."""
    return tuple(task for task, actions in TASKS.items() if any(permits(role, action) for action in actions))


def grant_all(account: Account, site_id: UUID, since: date, approved_by: UUID | None) -> None:
    """Delegate every task of the account's role at once: for made-up trials, where nobody signs."""
    now = clock.now()
    for task in tasks_for(account.role):
        row = Delegation(
            id=uuid4(),
            site_id=site_id,
            account_id=account.id,
            task=task,
            valid_from=since,
            requested_by=approved_by,
            requested_at=now,
            approved_by=approved_by,
            approved_at=now,
            version=1,
        )
        db.session.add(row)
    db.session.flush()
    audit.record("delegation:granted", "account", account.id, new={"site": site_id, "tasks": tasks_for(account.role)})


def approve(row: Delegation, by: UUID) -> Delegation:
    """The principal investigator approves; once approved it stays so."""
    if row.ended_at is not None:
        raise Problem("conflict", "this delegation has ended")
    if row.account_id == by:
        raise fault("/account_id", "not_allowed", "nobody approves a task of their own")
    if row.approved_at is None:
        row.approved_by, row.approved_at = by, clock.now()
        row.version += 1
        db.session.flush()
        audit.record("delegation:approved", "delegation", row.id, old={"approved": False}, new={"approved": True})
    return row


def end(row: Delegation, reason: str, by: UUID) -> Delegation:
    """End a task from now on, with the reason."""
    if row.ended_at is not None:
        raise Problem("conflict", "this delegation has ended")
    row.ended_by, row.ended_at, row.ended_why = by, clock.now(), reason
    row.version += 1
    db.session.flush()
    audit.record("delegation:ended", "delegation", row.id, old={"ended": False}, new={"ended": True}, reason=reason)
    return row


def locked(delegation_id: UUID) -> Delegation:
    """The row, locked until the transaction ends; 404 if there is none."""
    row = db.session.execute(
        sa.select(Delegation)
        .where(Delegation.id == delegation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return row


def train(site: Site, content: Mapping[str, Any], by: UUID) -> tuple[Training, bool]:
    """Record a training: id, account_id or subject_id, topic, material_version, trained_on, trainer."""
    names = ("account_id", "subject_id", "topic", "material_version", "trained_on", "trainer")
    said = {name: content.get(name) for name in names}
    stored = repeats.stored(Training, content["id"], site_id=site.id, **said)
    if stored is not None:
        return stored, False
    if (said["account_id"] is None) == (said["subject_id"] is None):
        raise fault("/account_id", "required", "either a member of staff or a subject")
    if said["account_id"] is not None and db.session.get(AccountSite, (said["account_id"], site.id)) is None:
        raise fault("/account_id", "not_allowed", "nobody of this site")
    if said["subject_id"] is not None:
        subject = db.session.get(Subject, said["subject_id"])
        if subject is None or subject.site_id != site.id:
            raise fault("/subject_id", "not_allowed", "no subject of this site")
        lock_subject(subject.id)
    if content["trained_on"] > local_date(clock.now(), site.time_zone):
        raise fault("/trained_on", "in_the_future", "a training that took place cannot lie in the future")
    row = Training(id=content["id"], site_id=site.id, recorded_at=clock.now(), recorded_by=by, **said)
    db.session.add(row)
    db.session.flush()
    audit.record("training:recorded", "training", row.id, subject_id=row.subject_id, new={**said, "site": site.id})
    return row, True
