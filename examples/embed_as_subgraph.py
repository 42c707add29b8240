"""Empathy-R1 as one node of a bigger LangGraph: a router sends long, personal posts to it.

Run: python examples/embed_as_subgraph.py
"""

import asyncio
from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime

from empathy_r1.graph import Context, build_graph

POSTS = [
    "What are your opening hours?",
    "我爸上个月查出来要做手术，家里都说没事没事，可是我晚上总睡不着，一闭眼就是他瘦下去的样子。"
    "白天还要装作没事去上班，同事说我最近脾气大，我也不知道怎么跟他们讲。我妈不让我哭，说哭不吉利。",
]


class Host(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


empathy = build_graph().compile()


def route(state: Host) -> str:
    return "empathy" if len(state["messages"][-1].text) > 60 else "desk"


async def desk(state: Host) -> Host:
    return {"messages": [AIMessage("We are open from 9 to 17.")]}


async def empathic(state: Host, runtime: Runtime[Context]) -> Host:
    answer = await empathy.ainvoke({"messages": state["messages"]}, context=runtime.context)
    return {"messages": [answer["messages"][-1]]}


bot = (
    StateGraph(Host, context_schema=Context)
    .add_node("desk", desk)
    .add_node("empathy", empathic)
    .add_conditional_edges(START, route, ["desk", "empathy"])
    .add_edge("desk", END)
    .add_edge("empathy", END)
    .compile()
)


async def main() -> None:
    for post in POSTS:
        # No model named: the embedded one answers. With a GPU: Context(model=vllm_chat("http://localhost:8000/v1")).
        result = await bot.ainvoke({"messages": [("user", post)]}, context=Context(region="CN"))
        print(f"> {post}\n{result['messages'][-1].text}\n")


if __name__ == "__main__":
    asyncio.run(main())
