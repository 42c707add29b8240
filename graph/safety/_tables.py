"""Reads the versioned tables that ship beside this file."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def load(name: str) -> dict[str, Any]:
    """The table `tables/<name>.toml`. Callers share one copy and leave it as it is."""
    path = resources.files("empathy_r1.graph.safety") / "tables" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
