"""The caches of many conversations: the next prompt continues from the longest beginning that one of them holds."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from empathy_r1.graph.models._decoder import Cache, Decoder


class Pool:
    """Caches in use, and idle ones, least recently used first: as many as `budget` bytes hold, but at least one."""

    def __init__(self, decoder: Decoder, budget: int) -> None:
        self.decoder = decoder
        self.budget = budget
        self._lock = threading.Lock()
        self._idle: list[Cache] = []
        self._busy: list[Cache] = []

    @contextmanager
    def lease(self, prompt: Sequence[int]) -> Iterator[Cache]:
        """A cache that holds a beginning of `prompt`, at most all but its last token, and nothing else.

        An idle cache is taken over where most of it is wanted. Otherwise it belongs to another conversation
        that begins alike (the system message, or the same post asked again): the common part is copied.
        """
        with self._lock:
            best = max((*self._idle, *self._busy), key=lambda c: _common(c.tokens, prompt), default=None)
            length = _common(best.tokens, prompt) if best else 0
            if best and best in self._idle and 2 * length >= len(best.tokens):
                self._idle.remove(best)
                best.rewind(length)
                cache = best
            else:
                cache = best.fork(length) if best and length else Cache(self.decoder)
            self._busy.append(cache)
        try:
            yield cache
        finally:
            with self._lock:
                self._busy.remove(cache)
                self._idle.append(cache)
                while len(self._idle) > 1 and sum(c.nbytes for c in self._idle) > self.budget:
                    self._idle.pop(0)


def _common(held: Sequence[int], prompt: Sequence[int]) -> int:
    # The last token is always fed: its logits are what the first new token comes from.
    length = 0
    for mine, theirs in zip(held, prompt[:-1], strict=False):
        if mine != theirs:
            break
        length += 1
    return length
