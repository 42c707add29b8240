"""Reads the corpus from the JSON lines beside this file."""

from collections.abc import Iterator
from importlib.resources import files

from pydantic import ValidationError

from empathy_r1.graph.labels import Locale
from empathy_r1.training.corpus.schema import Record, Split


def load(locale: Locale | None = None, split: Split | None = None) -> list[Record]:
    """The records in order of id, all or those of one `locale` and one `split`.

    Raises:
        ValueError: a line does not fit the schema; the message names file and line.
    """
    return [
        record
        for _, record in numbered()
        if (locale is None or record.locale == locale) and (split is None or record.split == split)
    ]


def numbered() -> Iterator[tuple[str, Record]]:
    """Every record with its `file:line`, in order of file name and line."""
    folder = files(__package__) / "records"
    for file in sorted((f for f in folder.iterdir() if f.name.endswith(".jsonl")), key=lambda f: f.name):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            if line.strip():
                yield f"{file.name}:{number}", _read(line, f"{file.name}:{number}")


def _read(line: str, place: str) -> Record:
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        raise ValueError(f"{place} is not a record of the corpus: {error}. Correct the line by schema.py.") from error
