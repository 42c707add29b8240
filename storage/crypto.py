"""Field encryption: AES-256-GCM under a ring of keys, of which the first encrypts and all decrypt.

A field is `key id, nonce, ciphertext and tag`; where it stands (table, column, row) is authenticated with it, so that a
value moved to another row does not open (NIST SP 800-38D).
"""

import base64
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from empathy_r1.storage.errors import KeyRingError

_NONCE = 12


class KeyRing:
    """Keys by id, the encrypting one first."""

    def __init__(self, text: str) -> None:
        """Reads `id:base64 of 32 bytes`, several with commas between.

        Raises:
            KeyRingError: no key, a broken one, or an id twice.
        """
        self._keys: dict[str, AESGCM] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, colon, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError:
                key = b""
            if not (colon and 0 < len(name) < 32 and name.isascii() and len(key) == 32 and name not in self._keys):
                raise KeyRingError(
                    "An encryption key is not of the form id:base64 of 32 bytes, or its id stands twice. "
                    "Make one with: empathy-r1 db key"
                )
            self._keys[name] = AESGCM(key)
        if not self._keys:
            raise KeyRingError("No encryption key. Expected id:base64 of 32 bytes in EMPATHY_R1_ENCRYPTION_KEYS.")
        self._first = next(iter(self._keys))

    @classmethod
    def in_file(cls, path: Path) -> "KeyRing":
        """The ring in `path`; a new key is made there, readable by its owner only, where there is none."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(new_key("k1"))
            except FileExistsError:
                pass
        return cls(path.read_text(encoding="ascii"))

    @property
    def prefix(self) -> bytes:
        """How every field begins that is sealed under the first key."""
        return bytes([len(self._first)]) + self._first.encode()

    def seal(self, text: str, where: str) -> bytes:
        """`text` encrypted for the place `where`."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._keys[self._first].encrypt(nonce, text.encode(), where.encode())
        return self.prefix + nonce + sealed

    def open(self, field: bytes, where: str) -> str:
        """The text of a sealed field.

        Raises:
            KeyRingError: its key is not in the ring, or it was changed or moved.
        """
        size = field[0]
        name = field[1 : 1 + size].decode()
        if name not in self._keys:
            raise KeyRingError(f"A text is encrypted under the key {name!r}, which the ring lacks. Add that key.")
        nonce, sealed = field[1 + size : 1 + size + _NONCE], field[1 + size + _NONCE :]
        try:
            return self._keys[name].decrypt(nonce, sealed, where.encode()).decode()
        except InvalidTag:
            raise KeyRingError(f"The encrypted field {where} was changed, moved, or has another key.") from None


def new_key(name: str) -> str:
    """A fresh key in the ring's written form."""
    return f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
