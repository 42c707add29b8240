"""For a platform that runs its own action server: `python -m rasa_sdk --actions actions`, or with `--grpc`."""

from empathy_r1.integrations.rasa import ActionBack, ActionEmpathy, ActionHandover

__all__ = ["ActionBack", "ActionEmpathy", "ActionHandover"]
