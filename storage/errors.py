"""Errors of the store. Each says what was wrong, what was expected and what to do."""


class StorageError(Exception):
    """Base of the store's errors."""


class KeyRingError(StorageError, ValueError):
    """Encryption keys that cannot be used, or a text under a key that the ring lacks."""


class SchemaError(StorageError):
    """The database's schema and this code do not fit."""


class DuplicateKeyError(StorageError):
    """The idempotency key stands already in this session; the caller reads that turn instead."""


class KeyFormError(StorageError, ValueError):
    """An API key that cannot be made as asked."""
