"""Rasa: its action server's protocol, and its REST and socket.io channels for front ends made for Rasa.

The classes of actions need rasa-sdk, which the rest does not: they are loaded when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from empathy_r1.integrations.rasa.sdk import ActionBack, ActionEmpathy, ActionHandover

__all__ = ["ActionBack", "ActionEmpathy", "ActionHandover"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("empathy_r1.integrations.rasa.sdk"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
