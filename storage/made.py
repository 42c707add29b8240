"""Statements of every turn, made once for each dialect and handed to its driver as they are.

SQLAlchemy still builds them, and still converts what goes in and comes out; but what it does for each execution costs
several times what the database does (benchmarks/turn_overhead.py).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

Row = dict[str, Any]
_Change = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement as one driver takes it."""

    sql: str
    order: tuple[str, ...] | None
    """Names of the parameters where the driver counts them; None where it knows them by name."""
    fixed: Row
    """Parameters that are the same every time."""
    writes: tuple[tuple[str, _Change], ...]
    """How parameters are written for the driver."""
    columns: tuple[str, ...]
    reads: tuple[tuple[str, _Change], ...]
    """How columns are read from the driver."""

    def parameters(self, given: Mapping[str, Any]) -> Any:
        values = self.fixed | dict(given)
        for name, write in self.writes:
            values[name] = write(values[name])
        return values if self.order is None else [values[name] for name in self.order]


class Answer:
    """What a statement has brought about: to be read after the journey on which it went."""

    def __init__(self, cursor: Any, form: _Form) -> None:
        self._cursor, self._form = cursor, form

    @property
    def changed(self) -> int:
        """How many rows were changed."""
        return int(self._cursor.rowcount)

    def rows(self) -> list[Row]:
        """All rows, by column."""
        return [self._row(values) for values in self._cursor.fetchall()]

    def first(self) -> Row | None:
        """The first row, or None."""
        values = self._cursor.fetchone()
        return None if values is None else self._row(values)

    def _row(self, values: Sequence[Any]) -> Row:
        row = dict(zip(self._form.columns, values, strict=True))
        for name, read in self._form.reads:
            if row[name] is not None:
                row[name] = read(row[name])
        return row


class Made:
    """One statement. Its errors are the driver's own: `Database.run` makes SQLAlchemy's of them."""

    def __init__(
        self, statement: Select[Any] | Insert | Update | Delete, columns: Collection[str] | None = None
    ) -> None:
        """Takes a statement whose lists have a fixed length.

        Args:
            statement: the statement, its parameters named with `bindparam`.
            columns: what each row brings, for an insert.
        """
        self._statement, self._insert = statement, None if columns is None else list(columns)
        self._forms: dict[str, _Form] = {}

    def send(self, db: Connection, given: Mapping[str, Any]) -> Answer:
        """Runs it."""
        form = self._form(db.dialect)
        return Answer(driver_of(db).execute(form.sql, form.parameters(given)), form)

    def send_all(self, db: Connection, rows: Collection[Mapping[str, Any]]) -> None:
        """Runs it for each of the rows."""
        form = self._form(db.dialect)
        driver_of(db).cursor().executemany(form.sql, [form.parameters(row) for row in rows])

    def _form(self, dialect: Dialect) -> _Form:
        if (form := self._forms.get(dialect.name)) is None:
            form = self._forms[dialect.name] = self._made(dialect)
        return form

    def _made(self, dialect: Dialect) -> _Form:
        made: Any = self._statement.compile(dialect=dialect, column_keys=self._insert)
        binds = {name: bind for bind, name in made.bind_names.items()}
        writes = ((name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds.items())
        columns = list(self._statement.selected_columns) if isinstance(self._statement, Select) else []
        reads = ((c.name, c.type.dialect_impl(dialect).result_processor(dialect, None)) for c in columns)
        return _Form(
            sql=str(made),
            order=tuple(made.positiontup) if made.positional else None,
            fixed={name: made.params[name] for name, bind in binds.items() if not bind.required},
            writes=tuple((name, write) for name, write in writes if write is not None),
            columns=tuple(c.name for c in columns),
            reads=tuple((name, read) for name, read in reads if read is not None),
        )


def driver_of(db: Connection) -> Any:
    """The driver's own connection."""
    return db.connection.driver_connection


@contextmanager
def journey(db: Connection) -> Iterator[None]:
    """Statements inside go to a server together, and what they bring is read afterwards."""
    if db.dialect.name == "sqlite":
        yield
    else:
        with driver_of(db).pipeline():
            yield


@contextmanager
def last(db: Connection) -> Iterator[None]:
    """The last statements of a transaction, whose results nobody reads: on PostgreSQL one journey with its commit."""
    with journey(db):
        yield
        if db.dialect.name != "sqlite":
            driver_of(db).execute("COMMIT", prepare=False)
