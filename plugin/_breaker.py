"""The circuit breaker before the model: after failures in a row it is left alone, then tried with one turn."""

from collections.abc import Callable
from time import monotonic

FAILURES = 5
"""So many turns in a row that fail for want of the model open the breaker."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0


class Breaker:
    """Closed: turns go on. Open: none begins for `pause` seconds, then one at a time until one succeeds."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until: float | None = None
        self._trying = False

    @property
    def seconds(self) -> float:
        """For how long no turn should begin; 0 where one may."""
        if self._until is None:
            return 0.0
        left = self._until - self._now()
        return left if left > 0 else (1.0 if self._trying else 0.0)

    @property
    def open(self) -> bool:
        """Whether the model failed and has not answered since."""
        return self._until is not None

    def begins(self) -> None:
        """A turn begins: behind an open breaker, the one that tries."""
        self._trying = self._until is not None

    def succeeded(self) -> None:
        """The model answered."""
        self._failures, self._pause, self._until, self._trying = 0, FIRST_PAUSE, None, False

    def failed(self) -> None:
        """The model was not there."""
        self._failures += 1
        if self._until is not None:
            if self._trying:
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._until = self._now() + self._pause
        elif self._failures >= FAILURES:
            self._until = self._now() + self._pause
        self._trying = False

    def abandoned(self) -> None:
        """A turn ended without word of the model: it was cancelled, or failed for another reason."""
        self._trying = False
