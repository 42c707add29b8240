"""The graph's nodes one after the other, without LangGraph's runtime.

For a host that keeps finished sections itself (the journal of empathy_r1.plugin) and wants neither checkpoints,
interrupts nor traces: what the runtime does for these takes as long as all else that such a host does for a turn
(benchmarks/turn_overhead.py). Nodes, edges, branches and reducers are read from the same `StateGraph`.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

from langgraph.channels import BinaryOperatorAggregate
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from empathy_r1.graph.graph import RETRY
from empathy_r1.graph.state import Context, Input, Output, State

_Reducer = Callable[[Any, Any], Any]


class Walk:
    """The way through one graph, whose nodes follow each other."""

    def __init__(self, graph: StateGraph[State, Context, Input, Output]) -> None:
        """Reads the way.

        Raises:
            ValueError: nodes that run side by side.
        """
        self._nodes: dict[str, Callable[..., Awaitable[Any]]] = {
            name: _function(spec.runnable) for name, spec in graph.nodes.items()
        }
        self._next = dict(graph.edges)
        self._branches: dict[str, tuple[Callable[..., Awaitable[Any]], Mapping[Any, str]]] = {
            name: (_function(branch.path), branch.ends or {})
            for name, branches in graph.branches.items()
            for branch in branches.values()
        }
        ways = len(graph.edges) + sum(len(branches) for branches in graph.branches.values())
        if ways != len({*self._next, *self._branches}) or graph.waiting_edges:
            raise ValueError("Two nodes follow one. Expected a graph whose nodes follow each other: compile this one.")
        self._reducers: dict[str, tuple[_Reducer, Any]] = {
            name: (channel.operator, channel.get())
            for name, channel in graph.channels.items()
            if isinstance(channel, BinaryOperatorAggregate)
        }

    async def steps(self, given: Input, context: Context) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
        """Runs the nodes and yields what each of them brought.

        Args:
            given: the conversation, as for the compiled graph.
            context: what the run needs.

        Raises:
            ModelError: what the nodes raise, after the tries of the graph's retry policy.
        """
        runtime = Runtime(context=context)
        state: dict[str, Any] = {name: first for name, (_, first) in self._reducers.items()}
        self._add(state, given)
        node = self._next[START]
        while node != END:
            update = await _tried(self._nodes[node], state, runtime) or {}
            self._add(state, update)
            yield node, update
            if node in self._branches:
                choose, ends = self._branches[node]
                node = ends[await choose(state)]
            else:
                node = self._next[node]

    def _add(self, state: dict[str, Any], update: Mapping[str, Any]) -> None:
        for name, value in update.items():
            reducer = self._reducers.get(name)
            state[name] = value if reducer is None else reducer[0](state[name], value)


async def _tried(node: Callable[..., Awaitable[Any]], state: dict[str, Any], runtime: Runtime[Context]) -> Any:
    pause = RETRY.initial_interval
    for _ in range(RETRY.max_attempts - 1):
        try:
            return await node(dict(state), runtime)
        except RETRY.retry_on:  # type: ignore[misc]  # one kind of error, as the graph names it
            await asyncio.sleep(pause + random.uniform(0, 1))  # noqa: S311
            pause *= RETRY.backoff_factor
    return await node(dict(state), runtime)


def _function(runnable: Any) -> Callable[..., Awaitable[Any]]:
    function: Callable[..., Awaitable[Any]] = runnable.afunc
    return function
