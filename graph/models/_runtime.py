"""Writes answers: many conversations at a time over one model, each in a thread of its own, token by token in turn."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from empathy_r1.graph.errors import PromptTooLongError
from empathy_r1.graph.models import _grounding
from empathy_r1.graph.models._decoder import FEED, Cache, Decoder
from empathy_r1.graph.models._grounding import Quotes, Vocabulary
from empathy_r1.graph.models._pool import Pool
from empathy_r1.graph.models._sampling import choose
from empathy_r1.graph.models._text import ChatText


@dataclass(frozen=True, slots=True)
class Options:
    """How one answer is written."""

    stop: tuple[str, ...]
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    repetition_penalty: float


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer and what it cost."""

    reason: Literal["stop", "length"]
    input_tokens: int
    cached_tokens: int
    """Of the input tokens, those that an earlier answer had left in a cache."""
    output_tokens: int


Item = str | Done | Exception


class Job:
    """An answer that is being written."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.future: Future[None] | None = None

    def cancel(self) -> None:
        """Stops writing before the next token, or never begins. Safe to call at any time."""
        self.cancelled.set()
        if self.future is not None:
            self.future.cancel()


class Runtime:
    """A loaded model. `slots` answers are written at a time; more wait in line, first come first served."""

    def __init__(self, folder: Path, threads: int, parallel: int, slots: int, cache_bytes: int) -> None:
        self.decoder = Decoder(folder, threads, parallel)
        self.text = ChatText(folder)
        self.grounding = _grounding.read(folder)
        self.vocabulary = Vocabulary(*self.text.vocabulary()) if self.grounding else None
        self.pool = Pool(self.decoder, cache_bytes)
        self._workers = ThreadPoolExecutor(slots, thread_name_prefix="embedded-model")

    def start(self, messages: Sequence[BaseMessage], options: Options, emit: Callable[[Item], None]) -> Job:
        """Begins to write; `emit` is called from a worker thread with pieces of text, then with `Done` or an error."""
        job = Job()
        job.future = self._workers.submit(self._work, messages, options, emit, job.cancelled)
        return job

    def _work(
        self,
        messages: Sequence[BaseMessage],
        options: Options,
        emit: Callable[[Item], None],
        cancelled: threading.Event,
    ) -> None:
        try:
            for item in self._write(messages, options, cancelled):
                emit(item)
        except Exception as error:
            emit(error)

    def _write(
        self, messages: Sequence[BaseMessage], options: Options, cancelled: threading.Event
    ) -> Iterator[str | Done]:
        prompt = self.text.prompt(messages)
        room = self.decoder.context - len(prompt)
        if room <= 0:
            raise PromptTooLongError(len(prompt), self.decoder.context)
        limit = room if options.max_tokens is None else min(room, options.max_tokens)
        stops, words = StopText(options.stop), self.text.detokenizer()
        with self.pool.lease(prompt) as cache:
            cached, written = len(cache.tokens), 0
            tokens = self._tokens(cache, prompt, options, self._quotes(messages), cancelled)
            for token in itertools.islice(tokens, limit):
                if token in self.decoder.ends:
                    break
                written += 1
                if piece := stops.feed(words.step(token)):
                    yield piece
                if stops.met:
                    break
            else:
                if cancelled.is_set():
                    return
                yield from filter(None, [stops.rest()])
                yield Done("length", len(prompt), cached, written)
                return
            yield from filter(None, [stops.rest()])
            yield Done("stop", len(prompt), cached, written)

    def _quotes(self, messages: Sequence[BaseMessage]) -> Quotes | None:
        if self.vocabulary is None:
            return None
        posts = [message.text for message in messages if isinstance(message, HumanMessage)]
        written = messages[-1].text if isinstance(messages[-1], AIMessage) else ""
        return Quotes(self.grounding, self.vocabulary, posts, written)

    def _tokens(
        self,
        cache: Cache,
        prompt: Sequence[int],
        options: Options,
        quotes: Quotes | None,
        cancelled: threading.Event,
    ) -> Iterator[int]:
        dice = np.random.default_rng(options.seed)
        new = list(prompt[len(cache.tokens) :])
        seen = list(prompt)
        while not cancelled.is_set():
            logits = cache.feed(new[:FEED])
            if new := new[FEED:]:
                continue
            token = choose(
                quotes.mask(logits) if quotes else logits,
                temperature=options.temperature,
                top_p=options.top_p,
                repetition_penalty=options.repetition_penalty,
                seen=seen,
                dice=dice,
            )
            if quotes:
                quotes.take(token)
            yield token
            seen.append(token)
            new = [token]


class StopText:
    """Lets text through up to the first of `stops`, and holds back what may become the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.met = False

    def feed(self, text: str) -> str:
        """Takes the next piece and returns what is safe to show."""
        self._held += text
        places = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if places:
            self.met = True
            shown, self._held = self._held[: min(places)], ""
            return shown
        keep = max((n for stop in self._stops for n in range(1, len(stop)) if self._held.endswith(stop[:n])), default=0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def rest(self) -> str:
        """What was held back, once no more text comes."""
        held, self._held = self._held, ""
        return held
