"""One reply on its way to the person: streamed from the model, split from the hidden strategy, guarded."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from empathy_r1.graph import safety, wire
from empathy_r1.graph.errors import ModelUnavailableError, ReplyCutError
from empathy_r1.graph.generate import Ask, OutOfTimeError
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.graph.state import Degraded


@dataclass(slots=True)
class Speech:
    """Speaks one reply; afterwards `ask.chain`, `degraded` and `withheld` say what became known meanwhile."""

    ask: Ask
    post: str
    region: str | None
    closing: str
    """A line with help that closes the reply, or nothing."""
    degraded: Degraded | None
    withheld: Counter[str] = field(default_factory=Counter)
    passed: str | None = None
    """What the guard let out, as a whole, where it was held against the finished chain and withheld nothing."""
    _against: set[str] = field(default_factory=set)

    async def pieces(self) -> AsyncGenerator[str]:
        """The reply in checked pieces. A try that said nothing is followed by one more, then by table words.

        Raises:
            ModelUnavailableError: before the first piece, so that trying again repeats nothing.
            ReplyCutError: the model broke off after the first piece.
        """
        locale = self.ask.locale
        spoken = False
        if truth := safety.identity_answer(self.post, locale):
            spoken = True
            yield f"{truth}\n\n"
        if self.degraded == "outside":
            yield OUTSIDE[locale]
        else:
            for again in (False, True):
                self.ask.again = again
                answered = False
                async with aclosing(self._once()) as pieces:
                    try:
                        async for piece in pieces:
                            spoken = answered = True
                            yield piece
                    except ModelUnavailableError as error:
                        if spoken:
                            raise ReplyCutError from error
                        raise
                    except OutOfTimeError as error:
                        if answered:
                            raise ReplyCutError from error
                        again = True
                if answered:
                    break
                if again:
                    self.degraded = "fixed"
                    yield FIXED[locale]
                    break
        if self.closing:
            yield f"\n\n{self.closing}"

    async def _once(self) -> AsyncGenerator[str]:
        split = wire.SectionStream(inside=self.ask.opened)
        watch: safety.Guard | None = None
        async with aclosing(self.ask.stream()) as stream:
            async for piece in stream:
                if text := split.feed(piece):
                    watch = watch or self._guard(split)
                    if shown := watch.feed(text):
                        yield shown
                if split.done:
                    break
        rest = split.close()
        if rest.strip() or watch:
            watch = watch or self._guard(split)
            if shown := watch.feed(rest) + watch.close():
                yield shown
            self.withheld += watch.withheld
            self._keep(split)
            if not watch.withheld and set(self.ask.chain.values()) <= self._against:
                self.passed = watch.text

    def _guard(self, split: wire.SectionStream) -> safety.Guard:
        hidden = (text for section, text in split.sections.items() if section != "response")
        sealed = [*self.ask.chain.values(), *hidden, SYSTEM[self.ask.locale]]
        self._against = set(sealed)
        return safety.Guard(locale=self.ask.locale, region=self.region, sealed=sealed, post=self.post)

    def _keep(self, split: wire.SectionStream) -> None:
        for section in wire.HIDDEN:
            valid = wire.repair(section, split.sections.get(section, ""), self.ask.locale)
            if section not in self.ask.chain and valid is not None:
                self.ask.chain[section] = valid


FIXED: dict[Locale, str] = {
    "zh": (
        "谢谢你愿意写下这些。我读了，但这一次没能组织出配得上它的回应，不想用空话敷衍你。"
        "你可以再发一次，或者只挑其中最压着你的那一件事，从那里说起。"
    ),
    "en": (
        "Thank you for writing this down. I have read it, but I could not put together an answer that does it "
        "justice, and I do not want to give you empty words. You can send it again, or pick the one thing that "
        "weighs most and start from there."
    ),
}
"""What is said when the model wrote nothing usable: honest, and the door stays open."""

OUTSIDE: dict[Locale, str] = {
    "zh": (
        "谢谢你愿意说。我得对你诚实：我是一个很小的模型，你写的这些超出了我学过的范围，"
        "硬要回答，多半只是听起来像样的空话。如果你愿意，可以说说这件事里你自己的感受，"
        "是什么让你难受、担心或者放不下，我会认真读。"
    ),
    "en": (
        "Thank you for telling me. I owe you honesty: I am a very small model, and what you wrote lies outside "
        "what I have learnt, so an answer would only sound right. If you like, tell me how this makes you feel, "
        "what hurts, what worries you or will not let you go, and I will read it with care."
    ),
}
"""What the embedded model's gate says about posts unlike any it was trained on."""
