"""What each role may do: one table, role × action. Site and subject scope come on top of it.

An action is `thing:verb`. Patients and carers reach only subjects they are linked to, staff only
subjects of their sites; a foreign one does not exist for them (404), a forbidden act does (403). Which of these
acts a person may do at a site today is narrowed once more by `backend.delegation`.
"""

from uuid import UUID

import sqlalchemy as sa

from backend.db import db
from backend.errors import Problem
from backend.models.people import AccountSite, SubjectLink
from backend.models.subject import Subject

ROLES = (
    "patient",
    "carer",
    "nurse",
    "investigator",
    "principal_investigator",
    "monitor",
    "statistician",
    "administrator",
)
STAFF = ROLES[2:]

_REPORTERS = frozenset({"patient", "carer"})
DOCTORS = frozenset({"investigator", "principal_investigator"})
CLINIC = DOCTORS | {"nurse"}
_READERS = CLINIC | {"monitor", "statistician"}
_ADMIN = frozenset({"administrator"})
_EVERYONE = frozenset(ROLES)

ACTIONS: dict[str, frozenset[str]] = {
    "self:read": _EVERYONE,
    "self:change": _EVERYONE,
    "today:read": _REPORTERS,
    "entry:report": _REPORTERS,
    "entry:read_own": _REPORTERS,
    "carer:choose": frozenset({"patient"}),
    "study:read": _EVERYONE,
    "scoring:use": _EVERYONE,
    "subject:enrol": CLINIC,
    "subject:read": _READERS,
    "subject:change": CLINIC,
    "contact:read": CLINIC,
    "activation:issue": CLINIC,
    "device:end": CLINIC,
    "event:record": CLINIC,
    "event:correct": CLINIC,
    "calendar:read": _READERS,
    "visit:plan": CLINIC,
    "excuse:record": CLINIC,
    "consent:read": _READERS,
    "consent:record": CLINIC,
    "consent:set_text": frozenset({"principal_investigator", "administrator"}),
    "hold:override": frozenset({"principal_investigator"}),
    "outcome:read": _READERS,
    "export:read": DOCTORS | {"monitor", "statistician"},
    "cohort:read": _READERS,
    "adverse_event:read": _READERS,
    "adverse_event:record": CLINIC,
    "adverse_event:judge": DOCTORS,
    "assessment:read": _READERS,
    "assessment:record": CLINIC,
    "assessment:sign": DOCTORS,
    "product:read": _READERS,
    "product:record": CLINIC,
    "ward:read": _READERS,
    "query:read": _READERS,
    "query:open": DOCTORS | {"monitor", "statistician"},
    "query:answer": CLINIC,
    "query:close": DOCTORS | {"monitor", "statistician"},
    "record:read": _READERS,
    "visit:freeze": DOCTORS | {"monitor"},
    "record:lock": frozenset({"principal_investigator"}),
    "casebook:sign": frozenset({"principal_investigator"}),
    "delegation:read": _READERS | _ADMIN,
    "delegation:request": CLINIC | _ADMIN,
    "delegation:approve": frozenset({"principal_investigator"}),
    "training:read": _READERS | _ADMIN,
    "training:record": CLINIC | _ADMIN,
    "amendment:read": _READERS | _ADMIN,
    "amendment:propose": DOCTORS,
    "amendment:approve": frozenset({"principal_investigator"}),
    "entry:read": _READERS,
    "entry:on_behalf": CLINIC,
    "entry:correct": CLINIC,
    "measurement:read": _READERS,
    "measurement:record": CLINIC,
    "medication:read": _READERS,
    "medication:record": CLINIC,
    "episode:read": _READERS,
    "episode:answer": CLINIC,
    "episode:close": CLINIC,
    "episode:grade": DOCTORS,
    "rota:read": CLINIC | _ADMIN,
    "rota:change": CLINIC | _ADMIN,
    "shift:confirm": CLINIC,
    "message:read": _READERS | _ADMIN,
    "message:read_text": CLINIC,
    "channel:read": CLINIC | _ADMIN | {"monitor"},
    "channel:set": _ADMIN,
    "channel:test": CLINIC | _ADMIN,
    "channel:accept": CLINIC,
    "site:go_live": frozenset({"principal_investigator", "administrator"}),
    "site:read": frozenset(STAFF),
    "site:set_days": CLINIC | _ADMIN,
    "audit:read": frozenset({"principal_investigator", "monitor", "administrator"}),
    "signing:confirm": frozenset(STAFF),
    "pin:set": frozenset(STAFF),
}


def permits(role: str, action: str) -> bool:
    """Whether the role may do the action at all. An unknown action is a programming error (KeyError)."""
    return role in ACTIONS[action]


def actions_of(role: str) -> tuple[str, ...]:
    """Every action a role may do, for the apps to show what is possible."""
    return tuple(sorted(action for action, roles in ACTIONS.items() if role in roles))


def sites_of(account_id: UUID) -> tuple[UUID, ...]:
    """The sites a member of staff works at."""
    return tuple(db.session.scalars(sa.select(AccountSite.site_id).where(AccountSite.account_id == account_id)))


def require_site(account_id: UUID, site_id: UUID) -> None:
    """404 for what belongs to a site the person does not work at."""
    if site_id not in sites_of(account_id):
        raise Problem("not_found")


def subjects_of(account_id: UUID) -> tuple[UUID, ...]:
    """The subjects a patient or carer reports for now."""
    return tuple(
        db.session.scalars(
            sa.select(SubjectLink.subject_id)
            .where(SubjectLink.account_id == account_id, SubjectLink.revoked_at.is_(None))
            .order_by(SubjectLink.relation.desc(), SubjectLink.since)
        )
    )


def visible_subject(account_id: UUID, role: str, subject_id: UUID) -> Subject:
    """The subject if it exists for this person; 404 otherwise, whether absent or foreign."""
    query = sa.select(Subject).where(Subject.id == subject_id)
    if role in _REPORTERS:
        query = query.join(SubjectLink).where(SubjectLink.account_id == account_id, SubjectLink.revoked_at.is_(None))
    else:
        query = query.join(AccountSite, AccountSite.site_id == Subject.site_id).where(
            AccountSite.account_id == account_id
        )
    subject = db.session.execute(query).scalar_one_or_none()
    if subject is None:
        raise Problem("not_found")
    return subject
