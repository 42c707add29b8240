"""Sessions, turns, stages and events in SQL: one schema for SQLite and PostgreSQL, texts encrypted."""

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.journal import Journal, TurnRecord
from empathy_r1.storage.sessions import SessionRecord, Sessions

__all__ = ["Database", "Journal", "KeyRing", "SessionRecord", "Sessions", "TurnRecord"]
