"""Keys and what is done with them: sealed contact data, the blind index, one-use codes, the audit chain.

AES-256-GCM with the row's identity as additional data, so that a ciphertext moved to another row or
column does not open. Layout: key id (1 byte), nonce (12), ciphertext and tag. Purposes other than
sealing use keys derived with HKDF-SHA256, so that no key serves two purposes.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SHORTEST = 1 + 12 + 16  # what sealing makes of an empty text
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that looks like something else


class CannotOpen(Exception):
    """The ciphertext was moved, changed, cut, or its key is not here."""


def key_of(sealed: bytes) -> int:
    """The field key a value needs; 0, which no key is, of a damaged one."""
    return sealed[0] if len(sealed) >= _SHORTEST else 0


def lacks(key_id: int) -> str:
    """How a field key that is not here is told."""
    return f"FIELD_KEYS lacks key {key_id}"


class Vault:
    """The installation's keys. One instance per process, made from the settings."""

    def __init__(self, field_keys: Mapping[int, bytes], key_id: int, secret: str) -> None:
        self._field_keys = dict(field_keys)
        self.key_id = key_id
        self._index_key = self._derived(secret, b"blind-index")
        self._code_key = self._derived(secret, b"one-use-code")
        self._chain_key = self._derived(secret, b"audit-chain")
        self._row_key = self._derived(secret, b"row-digest")
        self._manifest_key = self._derived(secret, b"backup-manifest")
        self._fingerprint_key = self._derived(secret, b"key-fingerprint")

    @staticmethod
    def _derived(secret: str, purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"daymark " + purpose).derive(secret.encode())

    def seal(self, place: str, row: UUID, text: str) -> bytes:
        """Encrypt `text` for one column (`place`, as "table.column") of one row."""
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._field_keys[self.key_id]).encrypt(nonce, text.encode(), self._aad(place, row))
        return bytes([self.key_id]) + nonce + sealed

    def open(self, place: str, row: UUID, sealed: bytes) -> str:
        """Decrypt what `seal` made for the same place and row; CannotOpen otherwise."""
        key_id = key_of(sealed)
        if not key_id:
            raise CannotOpen(f"{place} of row {row} is damaged")
        key = self._field_keys.get(key_id)
        if key is None:
            raise CannotOpen(lacks(key_id))
        try:
            return AESGCM(key).decrypt(sealed[1:13], sealed[13:], self._aad(place, row)).decode()
        except InvalidTag as error:
            raise CannotOpen(f"{place} of row {row} does not open") from error

    @staticmethod
    def _aad(place: str, row: UUID) -> bytes:
        return f"{place}:{row}".encode()

    def blind_index(self, place: str, text: str) -> str:
        """A keyed digest by which an encrypted value is found again without being readable."""
        return hmac.new(self._index_key, f"{place}:{text}".encode(), hashlib.sha256).hexdigest()

    def code_digest(self, code: str) -> str:
        """What is stored of a one-use code or a device credential: never the code itself."""
        return hmac.new(self._code_key, code.encode(), hashlib.sha256).hexdigest()

    def chain_digest(self, content: bytes) -> str:
        """The link of the audit chain over `content`, which includes the previous link."""
        return hmac.new(self._chain_key, content, hashlib.sha256).hexdigest()

    def row_digest(self, content: bytes) -> bytes:
        """A keyed digest of one row: sums of them tell sets of rows apart, also against somebody who tries."""
        return hmac.digest(self._row_key, content, "sha256")

    def manifest_digest(self, content: bytes) -> str:
        """What proves that a backup's manifest was written with this SECRET_KEY and not changed."""
        return hmac.new(self._manifest_key, content, hashlib.sha256).hexdigest()

    @property
    def fingerprint(self) -> str:
        """By which this SECRET_KEY is known again; it cannot be turned back into the key."""
        return hmac.new(self._fingerprint_key, b"secret", hashlib.sha256).hexdigest()[:32]

    @property
    def field_fingerprints(self) -> dict[int, str]:
        """The same of each field key, by id."""
        return {
            key_id: hmac.new(self._fingerprint_key, b"field" + key, hashlib.sha256).hexdigest()[:32]
            for key_id, key in self._field_keys.items()
        }


def new_code(length: int = 10) -> str:
    """A code a person can read aloud: 5 bits a character, 50 bits by default."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def new_secret() -> str:
    """256 bits for a machine to keep."""
    return secrets.token_urlsafe(32)


_passwords = PasswordHasher()
# Verified when no such account exists, so that a wrong name takes as long as a wrong password.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$8Q8m5s4vC7zN3G8c3m8bV5Q6cE5e2D5fZ7t0xX1m9aU"


def hash_password(password: str) -> str:
    """Argon2id at the library's defaults (64 MiB); about 0.1 s, so never inside a transaction."""
    return _passwords.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Constant work whether or not there is anything stored."""
    try:
        return _passwords.verify(stored or _NOBODY, password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False
