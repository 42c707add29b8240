"""The Chain-of-Empathy state machine: emotion, cause, intention, response, with safety around them.

Example:
    graph = build_graph().compile()
    result = await graph.ainvoke({"messages": [("user", post)]}, context=Context(model=model))
    print(result["messages"][-1].text)
"""

from empathy_r1.graph.graph import build_graph
from empathy_r1.graph.state import Chain, Context, Input, Output, State

__all__ = ["Chain", "Context", "Input", "Output", "State", "build_graph"]
