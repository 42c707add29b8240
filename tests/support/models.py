"""Chat models that say what a test tells them to, beside the real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import Field

from empathy_r1.graph import wire
from empathy_r1.graph.models import ContinuesFinalMessage
from empathy_r1.graph.streaming import StreamingChat

ZH_CHAIN: dict[wire.Section, str] = {
    "emotion": "焦虑/强 委屈/中｜连着三次面试被拒，怕爸妈失望",
    "cause": "把每一次被拒都读成“我不行”的证据",
    "intention": "倾诉 建议｜想先被听见，再知道下一步",
    "strategy": "先说出那份憋着的委屈，再把被拒和价值分开",
    "response": "三次面试都走到最后一轮又被退回来，那种滋味很不好受。\n\n"
    "你说不敢接家里的电话，这份委屈你一个人扛了很久。",
}
EN_CHAIN: dict[wire.Section, str] = {
    "emotion": "anxiety/strong hurt/moderate｜Three interviews in a row and dreading the call home",
    "cause": "Every rejection is read as proof of not being good enough",
    "intention": "vent advice｜Wants to be heard first, then one next step",
    "strategy": "Name the hurt, then loosen the link between a rejection and worth",
    "response": "Three final rounds, and three times a polite email. That is a lot to carry.\n\n"
    "You said you let the phone ring.",
}


class ScriptedModel(ContinuesFinalMessage, StreamingChat):
    """Continues the final message from a script, in pieces of `piece` characters, and keeps what it was asked."""

    script: dict[wire.Section, str]
    piece: int = 4
    pause: float = 0.0
    known: bool = True
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    fail: Callable[[list[BaseMessage], int], Exception | None] | None = None
    """Called with the prompt and the number of pieces said so far."""

    def knows(self, posts: str) -> bool:
        return self.known

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.asked.append(messages)
        assert isinstance(messages[-1], AIMessage)
        text = self._continuation(messages[-1].text)
        for mark in stop or []:
            text = text.partition(mark)[0]
        for said, start in enumerate(range(0, len(text), self.piece)):
            if self.fail and (error := self.fail(messages, said)):
                raise error
            await asyncio.sleep(self.pause)
            yield ChatGenerationChunk(message=AIMessageChunk(content=text[start : start + self.piece]))

    def _continuation(self, opened: str) -> str:
        section = next(s for s in reversed(wire.SECTIONS) if opened.endswith(wire.open_tag(s)))
        rest = wire.SECTIONS[wire.SECTIONS.index(section) :]
        whole = "\n".join(f"{wire.open_tag(s)}{self.script[s]}{wire.close_tag(s)}" for s in rest)
        return whole.removeprefix(wire.open_tag(section))


class SpeakingModel(StreamingChat):
    """A hosted-style chat model: it answers the last instruction and cannot continue a message."""

    answer: Callable[[list[BaseMessage]], str]

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        assert stop is None
        for word in self.answer(messages).splitlines(keepends=True):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
