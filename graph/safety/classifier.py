"""A small classifier that may raise what the rules found, never lower it."""

from collections.abc import Sequence

from empathy_r1.graph.safety.levels import Kind, Level

VERSION = "none"


def judge(text: str, parts: Sequence[str]) -> tuple[Level, Kind]:
    """The level that the classifier sees in a prepared text, and its kind."""
    return "none", "suicide"
