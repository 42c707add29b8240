"""Work that one process does for all: a lease by name, which ends by itself when its owner falls silent."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.dialects import postgresql, sqlite

from empathy_r1.storage.database import Database
from empathy_r1.storage.registers import LeaseRow


async def take(database: Database, name: str, owner: str, seconds: float) -> bool:
    """Takes the lease, or prolongs it where it is the owner's already; False while another has it."""
    now = datetime.now(UTC)
    values = {"name": name, "owner": owner, "until": now + timedelta(seconds=seconds)}
    insert = postgresql.insert if database.engine.dialect.name == "postgresql" else sqlite.insert
    query = insert(LeaseRow).values(values)
    free = or_(LeaseRow.until < now, LeaseRow.owner == owner)
    async with database.write() as db:
        taken = await db.scalar(
            query.on_conflict_do_update(
                index_elements=["name"], set_={"owner": owner, "until": values["until"]}, where=free
            ).returning(LeaseRow.owner)
        )
    return taken is not None


async def give(database: Database, name: str, owner: str) -> None:
    """Gives the lease back before its end."""
    async with database.write() as db:
        await db.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))
