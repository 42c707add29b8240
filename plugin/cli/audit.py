"""`empathy-r1 audit`: who did what to which id."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import AsJson, DatabaseUrl, errors, settings


def audit(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only this id: of a session, a key or a receipt.")] = None,
    after: Annotated[int, typer.Option(help="Only entries after this one.", min=0)] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Prints the audit log, oldest first: who did what to which id, never what was said."""
    with errors():
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage.audit import entries

        found = with_database(
            settings(database_url=database_url),
            lambda db: entries(db, tenant=tenant, subject=subject, after=after, limit=limit),
        )
        for entry in found:
            if as_json:
                typer.echo(json.dumps(asdict(entry) | {"at": entry.at.isoformat()}))
            else:
                counts = json.dumps(entry.counts) if entry.counts else ""
                at = f"{entry.at:%Y-%m-%d %H:%M:%S}"
                typer.echo(
                    f"{entry.id}  {at}  {entry.tenant or '-'}  {entry.actor}  {entry.action}  {entry.subject}  {counts}"
                )
