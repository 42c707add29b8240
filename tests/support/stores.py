"""A migrated store with a talk in it, on any database."""

import json
import uuid
from datetime import UTC, datetime

from sqlalchemy import insert

from empathy_r1.storage import Database, Journal, KeyRing, Sessions, migrate
from empathy_r1.storage.crypto import new_key
from empathy_r1.storage.tables import EventRow, SessionRow, StageRow, TurnRow


class Store:
    """Database, ring, and the classes over them."""

    def __init__(self, address, keys=None):
        self.address = address
        self.keys = keys or new_key("k1")
        self.ring = KeyRing(self.keys)
        self.db = Database(address)
        self.sessions = Sessions(self.db, self.ring)
        self.journal = Journal(self.db, self.ring, owner="worker")

    @classmethod
    async def open(cls, address, keys=None):
        await migrate.upgrade(address)
        return cls(address, keys)

    async def session(self, *, tenant="default", user=None, metadata=None):
        made = f"s_{uuid.uuid4().hex}"
        await self.sessions.create(
            made,
            tenant=tenant,
            token="token",
            locale="zh",
            region="CN",
            double_texting="enqueue",
            metadata=metadata or {},
            external_user=user,
        )
        return made

    async def talk(self, session_id, post, reply, turns=1):
        """Committed turns with a stage and an event each, as the journal seals them."""
        now = datetime.now(UTC)
        for number in range(1, turns + 1):
            turn = f"t_{uuid.uuid4().hex}"
            seal = self.ring.seal
            async with self.db.write() as db:
                await db.execute(
                    insert(TurnRow).values(
                        id=turn,
                        session_id=session_id,
                        number=number,
                        status="committed",
                        body_digest="0" * 64,
                        post_sealed=seal(post, f"turns.post:{turn}"),
                        reply_sealed=seal(reply, f"turns.reply:{turn}"),
                        level="none",
                        cancel_asked=False,
                        attempts=1,
                        created=now,
                        finished=now,
                    )
                )
                stage = seal(post, f"stages.emotion:{turn}")
                await db.execute(insert(StageRow).values(turn_id=turn, name="emotion", text_sealed=stage))
                for seq in (1, 2):
                    event = seal(json.dumps({"seq": seq}), f"events:{turn}:{seq}")
                    await db.execute(insert(EventRow).values(turn_id=turn, seq=seq, data_sealed=event))

    async def sealed(self):
        """Every sealed field there is."""
        from sqlalchemy import select

        from empathy_r1.storage.rotation import SEALED

        async with self.db.read() as db:
            return [
                field for column, _ in SEALED for field in await db.scalars(select(column).where(column.is_not(None)))
            ]

    async def set(self, table, values, *where):
        async with self.db.write() as db:
            await db.execute(table.__table__.update().where(*where).values(**values))


__all__ = ["SessionRow", "Store"]
