"""What the person hears, as a chat model: checked text streams through LangGraph like any model's tokens."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict

from empathy_r1.graph.streaming import StreamingChat


class Voice(StreamingChat):
    """Speaks `pieces`, once.

    The policy's own run is hidden from callbacks, since its prompt and its first tokens are the hidden
    chain. This model runs in its place, so `stream_mode="messages"` and `astream_events` show the reply's
    checked pieces and nothing else.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    pieces: AsyncIterator[str]

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for piece in self.pieces:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                await run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk


async def speak(pieces: AsyncIterator[str], post: BaseMessage, hear: Callable[[str], None] | None = None) -> AIMessage:
    """Streams `pieces` as the reply to `post` and returns it whole, under the id of its streamed chunks.

    With `hear`, the pieces go there and nowhere else.
    """
    if hear is not None:
        said: list[str] = []
        async for text in pieces:
            hear(text)
            said.append(text)
        return AIMessage("".join(said), id=str(uuid.uuid4()))
    whole: AIMessageChunk | None = None
    async for chunk in Voice(pieces=pieces).astream([post]):
        piece = AIMessageChunk(content=chunk.content, id=chunk.id)
        whole = piece if whole is None else whole + piece
    return AIMessage("" if whole is None else whole.text, id=None if whole is None else whole.id)
