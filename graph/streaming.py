"""The base of chat models that stream and do nothing else."""

import asyncio
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult


class StreamingChat(BaseChatModel):
    """A chat model of which a subclass writes `_astream` alone."""

    @property
    def _llm_type(self) -> str:
        return f"empathy-r1-{type(self).__name__.lower()}"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """The stream to its end, in an event loop of its own.

        Raises:
            RuntimeError: an event loop runs in this thread: use the asynchronous methods there.
        """
        whole = agenerate_from_stream(self._astream(messages, stop, None, **kwargs))
        try:
            return asyncio.run(whole)
        finally:
            whole.close()
