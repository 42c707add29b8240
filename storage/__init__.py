"""Sessions, turns and the registers beside them in SQL: one schema for SQLite and PostgreSQL, texts encrypted."""

from empathy_r1.storage.consents import Consents
from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.journal import Journal, TurnRecord
from empathy_r1.storage.keys import ApiKeys, KeyRecord
from empathy_r1.storage.sessions import SessionRecord, Sessions

__all__ = [
    "ApiKeys",
    "Consents",
    "Database",
    "Journal",
    "KeyRecord",
    "KeyRing",
    "SessionRecord",
    "Sessions",
    "TurnRecord",
]
