"""The command line `empathy-r1`: the one place that starts every room of the house."""

from empathy_r1.plugin.cli.app import app

__all__ = ["app"]
