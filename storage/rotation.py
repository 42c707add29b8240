"""Key rotation: every sealed field is sealed again under the ring's first key, while the service runs.

How to change a key: add the new one at the end of the ring in every process; then put it first in every process; then
rotate; then take the old one out. Where a rotation stands is written in the fields themselves (each begins with its
key's id), so that one that was stopped goes on where it was.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, and_, func, literal, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.tables import EventRow, HandoverRow, SessionRow, StageRow, TurnRow

BATCH = 100
Place = Callable[[Any], str]

SEALED: tuple[tuple[InstrumentedAttribute[Any], Place], ...] = (
    (SessionRow.metadata_sealed, lambda key: f"sessions.metadata:{key[0]}"),
    (SessionRow.contact_sealed, lambda key: f"sessions.contact:{key[0]}"),
    (HandoverRow.payload_sealed, lambda key: f"handovers.payload:{key[0]}"),
    (TurnRow.post_sealed, lambda key: f"turns.post:{key[0]}"),
    (TurnRow.reply_sealed, lambda key: f"turns.reply:{key[0]}"),
    (StageRow.text_sealed, lambda key: f"stages.{key[1]}:{key[0]}"),
    (EventRow.data_sealed, lambda key: f"events:{key[0]}:{key[1]}"),
)
"""Every encrypted column, and the place that is authenticated with a field of it, by its row's primary key."""


async def rotate(database: Database, ring: KeyRing, *, batch: int = BATCH) -> dict[str, int]:
    """Seals again what is under another key than the first; returns column -> fields that were.

    Raises:
        KeyRingError: a field is under a key that the ring lacks, or was changed.
    """
    done: dict[str, int] = {}
    for column, place in SEALED:
        count = await _rotate_column(database, ring, column, place, batch)
        if count:
            done[str(column)] = count
    return done


async def keys_in_use(database: Database) -> dict[str, int]:
    """Key id -> fields that are sealed under it. A key with none may leave the ring."""
    used: dict[str, int] = {}
    async with database.read() as db:
        for column, _ in SEALED:
            sizes = await db.scalars(select(func.substr(column, 1, 1)).where(column.is_not(None)).distinct())
            for size in {bytes(size)[0] for size in sizes}:
                head = func.substr(column, 1, 1 + size)
                mine = func.substr(column, 1, 1) == literal(bytes([size]), LargeBinary)
                for prefix, count in await db.execute(select(head, func.count()).where(mine).group_by(head)):
                    name = bytes(prefix[1:]).decode()
                    used[name] = used.get(name, 0) + count
    return used


async def _rotate_column(
    database: Database, ring: KeyRing, column: InstrumentedAttribute[Any], place: Place, batch: int
) -> int:
    table = column.class_.__table__
    keys = list(table.primary_key.columns)
    fresh = literal(ring.prefix, LargeBinary)
    stale = and_(column.is_not(None), func.substr(column, 1, len(ring.prefix)) != fresh)
    done, last = 0, None
    while True:
        query = select(*keys, column.label("sealed")).where(stale).order_by(*keys).limit(batch)
        if last is not None:
            query = query.where(tuple_(*keys) > tuple_(*map(literal, last)))
        async with database.write() as db:
            rows = (await db.execute(query)).all()
            for *key, sealed in rows:
                where = place(key)
                again = ring.seal(ring.open(sealed, where), where)
                same: list[ColumnElement[bool]] = [name == value for name, value in zip(keys, key, strict=True)]
                # Only if nobody else wrote it: what is written meanwhile is under the first key anyway.
                changed = update(table).where(*same, column == sealed).values({column.key: again})
                done += (await db.execute(changed)).rowcount
        if not rows:
            return done
        last = rows[-1][:-1]
