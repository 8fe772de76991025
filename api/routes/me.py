"""Who I am to Daymark: role, language, subjects, sites, and what I may do."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room, etag, must_match
from api.fields import Body, Id, Locale
from backend import accounts, policy
from backend.db import db
from backend.installation import server_epoch
from backend.models.people import Account, AccountSite, SubjectLink
from backend.models.study import Site
from backend.models.subject import Subject

room = Room("me", __name__, url_prefix="/api/v1/me")


class MySubject(Body):
    id = Id(required=True)
    number = ma.fields.String(required=True)


class MySite(Body):
    id = Id(required=True)
    code = ma.fields.String(required=True)
    name_zh = ma.fields.String(required=True)
    name_en = ma.fields.String(required=True)


class Me(Body):
    """`subjects` for patients and carers only; `strength`: full, or pin (which cannot sign)."""

    id = Id(required=True)
    role = ma.fields.String(required=True)
    kind = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    locale = ma.fields.String(required=True)
    subjects = ma.fields.List(ma.fields.Nested(MySubject), required=True)
    sites = ma.fields.List(ma.fields.Nested(MySite), required=True)
    actions = ma.fields.List(ma.fields.String(), required=True)
    server_epoch = Id(required=True)
    strength = ma.fields.String(required=True)


class MyChange(Body):
    locale = Locale(required=True)


@room.door("GET", "", "self:read", answer=Me)
def who_am_i(caller: Caller) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Who is signed in, for whom they report or where they work, and what they may do."""
    return _me(caller, caller.account), 200, etag(caller.account.version)


@room.door("PATCH", "", "self:change", body=MyChange, answer=Me, if_match=True)
def change_me(caller: Caller, body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Choose the language in which Daymark speaks and writes to me."""
    account = db.session.get_one(Account, caller.id, with_for_update=True, populate_existing=True)
    must_match(account.version)
    accounts.change_locale(account, body["locale"])
    return _me(caller, account), 200, etag(account.version)


def _me(caller: Caller, account: Account) -> dict[str, Any]:
    subjects = _subjects(account)
    return {
        "id": account.id,
        "role": account.role,
        "kind": account.kind,
        "name": account.name,
        "locale": account.locale,
        "subjects": [{"id": subject.id, "number": subject.number} for subject in subjects],
        "sites": [
            {"id": site.id, "code": site.code, "name_zh": site.name_zh, "name_en": site.name_en}
            for site in _sites(account, subjects)
        ],
        "actions": list(policy.actions_of(account.role)),
        "server_epoch": server_epoch(),
        "strength": caller.strength,
    }


def _subjects(account: Account) -> list[Subject]:
    if account.kind == "staff":
        return []
    query = (
        sa.select(Subject)
        .join(SubjectLink, SubjectLink.subject_id == Subject.id)
        .where(SubjectLink.account_id == account.id, SubjectLink.revoked_at.is_(None))
        .order_by(SubjectLink.relation.desc(), SubjectLink.since, Subject.number)
    )
    return list(db.session.scalars(query))


def _sites(account: Account, subjects: list[Subject]) -> list[Site]:
    mine = sa.select(AccountSite.site_id).where(AccountSite.account_id == account.id)
    where = Site.id.in_(mine) if account.kind == "staff" else Site.id.in_({subject.site_id for subject in subjects})
    return list(db.session.scalars(sa.select(Site).where(where).order_by(Site.code)))
