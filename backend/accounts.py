"""Who may come in: staff accounts, the accounts of patients and carers, and their sealed contact data.

How they prove who they are is `backend.sessions` and `backend.activation`. Every function here runs in
the caller's transaction and audits what it changes; a name or a number never enters the trail.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import phonenumbers
import pyotp
import sqlalchemy as sa

from backend import audit, clock
from backend.db import db
from backend.errors import Problem, fault, invalid
from backend.installation import vault
from backend.models.people import Account, AccountSite, Device, SubjectLink
from backend.models.study import Site
from backend.models.subject import Contact, Subject
from backend.policy import STAFF
from backend.sealed import NAME, PHONE, TOTP
from schedules.faults import Fault

HOME_REGION = "CN"  # how a number without a country code is read


def phone_number(text: str, path: str) -> str:
    """E.164 of a number as people write it. Raises 422 `invalid_phone` at `path`, without repeating the number."""
    try:
        number = phonenumbers.parse(text, HOME_REGION)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise fault(path, "invalid_phone", "This is not a valid telephone number.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def username_of(text: str) -> str:
    """The one spelling of a user name: case, width and outer spaces do not matter."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def add_staff(
    *,
    username: str,
    name: str,
    role: str,
    password_hash: str,
    locale: str,
    site_ids: Iterable[UUID],
    phone: str | None = None,
) -> tuple[Account, str]:
    """A new member of staff and the TOTP secret (base32) to show once.

    Raises 422 with faults at /username (taken, required), /role, /site_ids or /phone.
    """
    wanted = username_of(username)
    sites = tuple(dict.fromkeys(site_ids))
    _refuse_bad_staff(wanted, role, sites)
    account = _new_account("staff", role, locale)
    account.username, account.name, account.password_hash = wanted, name, password_hash
    if phone is not None:
        _set_phone(account, phone_number(phone, "/phone"))
    secret = pyotp.random_base32()
    account.totp_sealed = vault().seal(TOTP, account.id, secret)
    db.session.add(account)
    db.session.flush()
    db.session.add_all(AccountSite(account_id=account.id, site_id=site_id) for site_id in sites)
    db.session.flush()
    new = {"kind": "staff", "role": role, "username": wanted, "sites": [str(site) for site in sites]}
    audit.record("account:created", "account", account.id, new=new)
    return account, secret


def _refuse_bad_staff(username: str, role: str, sites: tuple[UUID, ...]) -> None:
    faults = []
    if not username:
        faults.append(Fault("/username", "required", "A user name is needed."))
    elif db.session.scalar(sa.select(Account.id).where(Account.username == username)):
        faults.append(Fault("/username", "taken", "This user name is in use."))
    if role not in STAFF:
        faults.append(Fault("/role", "not_allowed", f"Must be one of: {', '.join(STAFF)}."))
    known = set(db.session.scalars(sa.select(Site.id).where(Site.id.in_(sites))))
    faults += [
        Fault(f"/site_ids/{n}", "unknown_site", "There is no such site.")
        for n, site in enumerate(sites)
        if site not in known
    ]
    if faults:
        raise invalid(*faults)


def add_reporter(
    subject: Subject, *, relation: str, name: str, phone: str, locale: str, path: str = "/contact"
) -> Account:
    """A new account that reports for `subject`: the patient's own, or a carer's (`relation`).

    Raises 422 `invalid_phone` at `{path}/phone`, 409 when the subject has a patient account already.
    """
    if relation == "patient" and link_of_patient(subject.id) is not None:
        raise Problem("conflict", "the subject has a patient account already")
    number = phone_number(phone, f"{path}/phone")
    account = _new_account(relation, relation, locale)
    _set_phone(account, number)
    db.session.add(account)
    db.session.flush()
    new = {"kind": relation, "locale": locale, "contact": "changed"}
    audit.record("account:created", "account", account.id, subject_id=subject.id, new=new)
    _link(subject.id, account, relation, name)
    return account


def link_carer(subject: Subject, account: Account) -> None:
    """Let a carer who reports for somebody else report for this subject too, under the name already known."""
    known = db.session.scalars(sa.select(Contact).where(Contact.account_id == account.id)).first()
    if account.kind != "carer" or known is None:
        raise Problem("not_found")
    _link(subject.id, account, "carer", vault().open(NAME, account.id, known.name_sealed))


def _new_account(kind: str, role: str, locale: str) -> Account:
    return Account(
        id=uuid4(),
        kind=kind,
        role=role,
        name="",
        locale=locale,
        failed=0,
        active=True,
        created_at=clock.now(),
        version=1,
    )


def _set_phone(account: Account, e164: str) -> None:
    account.phone_sealed = vault().seal(PHONE, account.id, e164)
    account.phone_index = vault().blind_index("phone", e164)
    account.phone_set_at = clock.now()


def _link(subject_id: UUID, account: Account, relation: str, name: str) -> None:
    link = db.session.get(SubjectLink, (account.id, subject_id))
    if link is None:
        link = SubjectLink(account_id=account.id, subject_id=subject_id, relation=relation)
        db.session.add(link)
        sealed = vault().seal(NAME, account.id, name)
        db.session.add(Contact(subject_id=subject_id, account_id=account.id, name_sealed=sealed))
    link.since, link.revoked_at = clock.now(), None
    db.session.flush()
    audit.record("reporter:linked", "account", account.id, subject_id=subject_id, new={"relation": relation})


def link_of_patient(subject_id: UUID) -> SubjectLink | None:
    """The link of the patient's own account, None before enrolment made one."""
    return db.session.scalars(
        sa.select(SubjectLink).where(
            SubjectLink.subject_id == subject_id,
            SubjectLink.relation == "patient",
            SubjectLink.revoked_at.is_(None),
        )
    ).one_or_none()


def contact_of(subject: Subject) -> dict[str, str | None]:
    """The patient's `{name, phone}` in the clear. Whoever calls this for a person audits the reading."""
    link = link_of_patient(subject.id)
    if link is None:
        return {"name": None, "phone": None}
    row = db.session.execute(
        sa.select(Account, Contact)
        .join(Contact, Contact.account_id == Account.id)
        .where(Account.id == link.account_id, Contact.subject_id == subject.id)
    ).one()
    return {"name": _name(row.Contact), "phone": phone_of(row.Account)}


def names_of(account_ids: Iterable[UUID | None]) -> dict[UUID | None, str]:
    """How colleagues see these people."""
    wanted = {one for one in account_ids if one is not None}
    rows = db.session.execute(sa.select(Account.id, Account.name).where(Account.id.in_(wanted)))
    return {row.id: row.name for row in rows}


def phone_of(account: Account) -> str | None:
    """The account's number in the clear, None when it has none."""
    return None if account.phone_sealed is None else vault().open(PHONE, account.id, account.phone_sealed)


def _name(contact: Contact) -> str:
    return vault().open(NAME, contact.account_id, contact.name_sealed)


def change_contact(
    subject: Subject, account_id: UUID, *, name: str | None = None, phone: str | None = None, path: str = "/contact"
) -> None:
    """Another name or number of a patient or carer of this subject. Raises 404, or 422 at `{path}/phone`."""
    row = db.session.execute(
        sa.select(Account, Contact)
        .join(Contact, Contact.account_id == Account.id)
        .where(Account.id == account_id, Contact.subject_id == subject.id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise Problem("not_found")
    new = {}
    if phone is not None:
        _set_phone(row.Account, phone_number(phone, f"{path}/phone"))
        new["phone"] = "changed"
    if name is not None:
        row.Contact.name_sealed = vault().seal(NAME, account_id, name)
        row.Contact.version += 1
        new["name"] = "changed"
    db.session.flush()
    audit.record("contact:changed", "account", account_id, subject_id=subject.id, new=new)


@dataclass(frozen=True, slots=True)
class Carer:
    """A carer as the clinic sees them: contact data in the clear."""

    account_id: UUID
    name: str
    phone: str | None
    locale: str
    since: datetime
    revoked_at: datetime | None
    devices: int


def carers_of(subject: Subject) -> list[Carer]:
    """Every carer the subject has or had, oldest first. Audits that contact data were read."""
    rows = db.session.execute(
        sa.select(SubjectLink, Account, Contact)
        .join(Account, Account.id == SubjectLink.account_id)
        .join(Contact, sa.and_(Contact.account_id == Account.id, Contact.subject_id == SubjectLink.subject_id))
        .where(SubjectLink.subject_id == subject.id, SubjectLink.relation == "carer")
        .order_by(Account.created_at, Account.id)
    ).all()
    devices = _devices_in_use([row.Account.id for row in rows])
    audit.record("contact:read", "subject", subject.id, subject_id=subject.id, new={"carers": len(rows)})
    return [
        Carer(
            account.id,
            _name(contact),
            phone_of(account),
            account.locale,
            link.since,
            link.revoked_at,
            devices.get(account.id, 0),
        )
        for link, account, contact in rows
    ]


def show_reports(subject: Subject, link: SubjectLink, sees: bool) -> None:
    """Whether a carer sees the patient's reports beside their own. The patient's decision."""
    old, link.sees_reports = link.sees_reports, sees
    db.session.flush()
    audit.record(
        "reporter:shown",
        "account",
        link.account_id,
        subject_id=subject.id,
        old={"sees_reports": old},
        new={"sees_reports": sees},
    )


def _devices_in_use(account_ids: list[UUID]) -> dict[UUID, int]:
    rows = db.session.execute(
        sa.select(Device.account_id, sa.func.count())
        .where(Device.account_id.in_(account_ids), Device.revoked_at.is_(None))
        .group_by(Device.account_id)
    )
    return dict(rows.all())


def change_locale(account: Account, locale: str) -> None:
    """The language in which we speak to this account."""
    old, account.locale = account.locale, locale
    account.version += 1
    db.session.flush()
    audit.record("account:changed", "account", account.id, old={"locale": old}, new={"locale": locale})
