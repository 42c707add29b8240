"""A counsellor reads every reply first: the graph as a node of a bigger one, with LangGraph's interrupt.

Run: python examples/embed_with_interrupt.py
"""

import asyncio
from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt

from empathy_r1.graph import Context, build_graph

POST = (
    "三个月前我从老家搬到这边上班，到现在一个朋友也没有。中午大家都有饭搭子，我就在楼梯间里吃。"
    "晚上跟妈妈视频，我说一切都好，挂了电话又觉得自己很假。周末最难熬，一天也说不上一句话。"
)


class Host(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def review(state: Host) -> Host:
    draft = state["messages"][-1]
    words = interrupt({"post": state["messages"][-2].text, "draft": draft.text})
    return {"messages": [AIMessage(words, id=draft.id)]}  # the same id: it takes the draft's place


bot = (
    StateGraph(Host, context_schema=Context)
    .add_node("empathy", build_graph().compile())
    .add_node("review", review)
    .add_edge(START, "empathy")
    .add_edge("empathy", "review")
    .add_edge("review", END)
    .compile(checkpointer=InMemorySaver())
)


async def main() -> None:
    thread, context = {"configurable": {"thread_id": "visitor-1"}}, Context(region="CN")
    waiting = await bot.ainvoke({"messages": [("user", POST)]}, thread, context=context)
    draft = waiting["__interrupt__"][0].value["draft"]
    print(f"A counsellor is shown:\n{draft}\n")
    # Minutes or days later, in this process or, with a checkpointer on disk, in another:
    done = await bot.ainvoke(Command(resume=f"{draft}\n\n（咨询师已读）"), thread, context=context)
    print(f"The person is shown:\n{done['messages'][-1].text}")
    print(f"{len(done['messages'])} messages in the talk")


if __name__ == "__main__":
    asyncio.run(main())
