"""Sealed values that were cut, emptied or written over: a backup is made all the same, and tells which they are."""

from base64 import b64encode
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import House

from backend.crypto import CannotOpen, Vault
from backend.db import db, transaction
from backend.models.people import Account
from backend.models.record import KeptAnswer
from backend.models.subject import Contact
from tests.keeping.acts import at, refused, run

KEYS = Vault({1: b"k" * 32}, 1, "secret")
ROW = UUID(int=1)
WHOLE = KEYS.seal("contact.name", ROW, "")


DAMAGED = {
    "empty": (b"", "damaged"),
    "the key alone": (b"\x01", "damaged"),
    "no ciphertext": (WHOLE[:13], "damaged"),
    "cut": (WHOLE[:-1], "damaged"),
    "of no key": (b"\x00" + WHOLE[1:], "damaged"),
    "of another key": (b"\x07" + WHOLE[1:], "FIELD_KEYS lacks key 7"),
    "changed": (WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]), "does not open"),
    "longer": (WHOLE + b"\x00", "does not open"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_what_is_not_as_it_was_sealed_cannot_be_opened(how: str) -> None:
    assert KEYS.open("contact.name", ROW, WHOLE) == ""
    damaged, said = DAMAGED[how]
    with pytest.raises(CannotOpen, match=said):
        KEYS.open("contact.name", ROW, damaged)


def test_a_backup_names_what_cannot_be_opened_and_comes_back(
    sqlite_lived: House, sqlite_target: str, tmp_path: Path
) -> None:
    emptied, cut, overwritten = damage(sqlite_lived)
    file = tmp_path / "one.db"
    made = sqlite_lived.app.test_cli_runner().invoke(args=["backup", "--output", str(file)])
    assert (made.exit_code, file.exists()) == (3, True), made.output
    told = [
        f"1 of 1 values of contact.name are damaged: {emptied}",
        f"1 of 1 values of account.phone are damaged: {cut}",
    ]
    for one in told:
        assert f"warning: {one}\n" in made.output
    rows = ", ".join([str(overwritten)] * 3)
    assert f"4 of 4 values of kept_answer.body are damaged: {rows} and 1 more" in made.output
    assert told[0] in refused(sqlite_lived.app, "move", "--to", sqlite_target)
    with at(sqlite_lived, sqlite_target) as there:
        assert f"warning: {told[0]}" in run(there.app, "restore", "--from", file)


def damage(house: House) -> tuple[UUID, UUID, UUID]:
    """Whose name is emptied, whose number is cut, and for whom answers were kept that are no base64 or too short."""
    with house.app.app_context(), transaction():
        contact = db.session.scalars(sa.select(Contact).limit(1)).one()
        contact.name_sealed = b""
        account = db.session.scalars(sa.select(Account).where(Account.username == "nurse")).one()
        assert account.phone_sealed is not None
        account.phone_sealed = account.phone_sealed[:20]
        for body in ("A", "", "\N{SNOWMAN}", b64encode(b"\x01" * 28).decode()):
            db.session.add(KeptAnswer(account_id=account.id, key=str(uuid4()), request_digest="", status=200, body=body,
                                      at=house.now))  # fmt: skip
        return contact.account_id, account.id, account.id
