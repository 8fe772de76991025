"""Who signs in: accounts, the sites they work at, the subjects they report for, their devices and tokens."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, key


class Account(Base):
    """Staff, patient or carer. Secrets are hashes; the TOTP seed is sealed. `failed` and `locked_until` lock out."""

    __tablename__ = "account"
    id: Mapped[UUID] = key()
    kind: Mapped[str]  # staff, patient, carer
    role: Mapped[str]  # staff: nurse, investigator …; else as kind
    username: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]  # how colleagues see them; empty for patients and carers
    locale: Mapped[str] = mapped_column(sa.String(35))
    password_hash: Mapped[str | None]
    totp_sealed: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    totp_last_step: Mapped[int | None] = mapped_column(sa.BigInteger)  # a one-time code works one time
    phone_sealed: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    phone_index: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    phone_set_at: Mapped[datetime | None]
    failed: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    active: Mapped[bool] = mapped_column(default=True)
    texts_stopped_at: Mapped[datetime | None]  # STOP; pages ignore it
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class AccountSite(Base):
    """Staff see only their sites."""

    __tablename__ = "account_site"
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"), primary_key=True, index=True)


class SubjectLink(Base):
    """A patient's own account, or a carer's (many to many, revocable)."""

    __tablename__ = "subject_link"
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), primary_key=True, index=True)
    relation: Mapped[str]  # patient, carer
    since: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    sees_reports: Mapped[bool] = mapped_column(default=True)  # a carer: the patient's reports, or only their own


class ActivationCode(Base):
    """One use. Only a keyed digest is stored."""

    __tablename__ = "activation_code"
    id: Mapped[UUID] = key()
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), index=True)
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    issued_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Device(Base):
    """A phone (or a ward computer for one shift) that knows a PIN.

    `credential_digest` may only append entries: a phone that is locked still sends a fever.
    """

    __tablename__ = "device"
    id: Mapped[UUID] = key()
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), index=True)
    name: Mapped[str]
    pin_hash: Mapped[str]
    credential_digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    failed: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]


class TokenFamily(Base):
    """One sign-in and all refresh tokens that descend from it. A reused one ends the family."""

    __tablename__ = "token_family"
    id: Mapped[UUID] = key()
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), index=True)
    device_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("device.id"), index=True)
    transport: Mapped[str]
    strength: Mapped[str]  # full (password and TOTP) or pin
    current_jti: Mapped[str] = mapped_column(sa.String(64))
    previous_jti: Mapped[str | None] = mapped_column(sa.String(64))
    rotated_at: Mapped[datetime]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_why: Mapped[str | None]


class OnCallShift(Base):
    """Who carries the pager of a site, from when to when. Overlaps are allowed: all of them are paged."""

    __tablename__ = "on_call_shift"
    id: Mapped[UUID] = key()
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    duty: Mapped[str]  # on_call, backup
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    entered_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    confirmed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (sa.Index("ix_on_call_shift_site_ends", "site_id", "ends_at"),)
