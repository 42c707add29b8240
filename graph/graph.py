"""The state machine: screen, then emotion, cause, intention and response, then guard; or screen, then crisis."""

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

from empathy_r1.graph import nodes
from empathy_r1.graph.errors import ModelUnavailableError
from empathy_r1.graph.state import Context, Input, Output, State

NODE_SECONDS = 300.0
"""Longest time of one node: a small CPU writes a long reply in about a minute."""
RETRY = RetryPolicy(max_attempts=2, initial_interval=0.5, retry_on=ModelUnavailableError)
"""A node that said nothing yet is tried once more."""


def build_graph() -> StateGraph[State, Context, Input, Output]:
    """The graph, uncompiled: the host compiles it with the checkpointer, store and interrupts of its choice."""
    return (
        StateGraph(State, context_schema=Context, input_schema=Input, output_schema=Output)
        .set_node_defaults(
            retry_policy=RETRY,
            timeout=NODE_SECONDS,
        )
        .add_node("screen", nodes.screen)
        .add_node("emotion", nodes.emotion)
        .add_node("cause", nodes.cause)
        .add_node("intention", nodes.intention)
        .add_node("response", nodes.response)
        .add_node("guard", nodes.guard)
        .add_node("crisis", nodes.crisis)
        .add_edge(START, "screen")
        .add_conditional_edges("screen", nodes.route, ["emotion", "crisis"])
        .add_edge("emotion", "cause")
        .add_edge("cause", "intention")
        .add_edge("intention", "response")
        .add_edge("response", "guard")
        .add_edge("guard", END)
        .add_edge("crisis", END)
    )


graph = build_graph().compile(name="empathy-r1")
"""For LangGraph Studio and Agent Server (langgraph.json)."""
