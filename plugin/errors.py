"""Errors of the engine. Each says what was wrong, what was expected and what to do."""

from typing import ClassVar

from empathy_r1.graph.errors import EmpathyR1Error


class EngineError(EmpathyR1Error):
    """Base of the engine's errors. `code` is stable and may be shown to programs."""

    code: ClassVar[str] = "engine"


class SettingsError(EngineError, ValueError):
    """Settings that cannot be used."""

    code = "settings"


class SessionNotFoundError(EngineError, LookupError):
    """No such session for this caller: unknown, erased, or of another tenant."""

    code = "session_not_found"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"No session {session_id}: it was never created, or it was erased. Create a new one.")


class TurnNotFoundError(EngineError, LookupError):
    """No such turn in this session."""

    code = "turn_not_found"

    def __init__(self, turn_id: str) -> None:
        super().__init__(f"No turn {turn_id} in this session. Expected an id from an `accepted` event.")


class UnauthorizedError(EngineError, PermissionError):
    """The token or API key does not open what was asked for."""

    code = "unauthorized"

    def __init__(self, what: str = "session token") -> None:
        super().__init__(f"The {what} is missing or wrong. Send the one that was given out at creation.")


class ForbiddenError(EngineError, PermissionError):
    """The API key is good and does not reach so far."""

    code = "forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs an API key with the scope {scope!r}. Make one with: empathy-r1 keys create")


class IdempotencyConflictError(EngineError):
    """The idempotency key was used before in this session, with another text."""

    code = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was already used with another text. "
            "Repeat the same text to get the same turn, or send the new text under a new key."
        )


class SessionBusyError(EngineError):
    """The session answers another post and refuses a second one (double texting `reject`)."""

    code = "session_busy"

    def __init__(self) -> None:
        super().__init__("The last post is still being answered. Wait for its end, or cancel it, then send this one.")


class OverloadedError(EngineError):
    """A cap is reached; nothing was stored. `retry_after` is in seconds."""

    code = "overloaded"

    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(f"{what} is at its limit. Nothing was stored; send again in {retry_after:.0f} s.")
        self.retry_after = retry_after


class DrainingError(OverloadedError):
    """This process is about to stop and takes no new posts. Another one does."""

    code = "draining"

    def __init__(self) -> None:
        super().__init__("This process stops and", 2.0)


class StorageUnavailableError(EngineError):
    """The database cannot be reached. Crisis answers are given all the same, but not stored."""

    code = "storage_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database is not available: {reason}. Check that it runs and that the address is right "
            "(EMPATHY_R1_DATABASE_URL), then try again."
        )


class TurnFailedError(EngineError):
    """A turn ended as `failed` or `cancelled`. The message is for the person, in both languages."""

    code = "turn_failed"

    def __init__(self, code: str, message: str, *, turn_id: str, retryable: bool) -> None:
        super().__init__(message)
        self.reason = code
        self.turn_id = turn_id
        self.retryable = retryable
