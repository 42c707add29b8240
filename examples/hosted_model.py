"""The graph with a hosted chat model: any LangChain chat model works, each node then gets a prompt of its own.

Run: OPENAI_API_KEY=... python examples/hosted_model.py
"""

import asyncio
import os

from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from empathy_r1.graph import Context, build_graph

POST = (
    "今天是我妈走后的第一个生日。早上超市里看到她爱吃的那种桂花糕，我拿起来又放下，站在货架前面哭了。"
    "旁边的人看我，我就说是洋葱熏的。其实我连洋葱都没买。大家都说过去一年了该走出来了，可我不知道走去哪里。"
)


async def main() -> None:
    model = ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-5-mini"))
    graph = build_graph().compile()
    async for chunk, _ in graph.astream(
        {"messages": [("user", POST)]}, context=Context(model=model, region="CN"), stream_mode="messages"
    ):
        if isinstance(chunk, AIMessageChunk):
            print(chunk.text, end="", flush=True)
    print()


if __name__ == "__main__":
    asyncio.run(main())
