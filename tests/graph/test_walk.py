"""The walk without LangGraph's runtime brings, step by step, what LangGraph's own runtime brings."""

import itertools

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import SecretStr

from empathy_r1.graph import Context, build_graph
from empathy_r1.graph.errors import EmptyPostError, ModelUnavailableError, ReplyCutError
from empathy_r1.graph.walk import Walk

from support.models import EN_CHAIN, ZH_CHAIN, ScriptedModel, SpeakingModel
from support.posts import CRISIS, EN_POST, POST

SAID = [HumanMessage("昨天又失眠了。", id="1"), AIMessage("失眠的夜晚很难熬。", id="2")]
BROKEN = {**ZH_CHAIN, "emotion": "", "cause": ""}
DONE = {"turn": "p", "emotion": SecretStr(ZH_CHAIN["emotion"]), "cause": SecretStr(ZH_CHAIN["cause"])}


def post(text=POST):
    return HumanMessage(text, id="p")


def fails(at, error=None):
    """A model that is away at the given questions, counted from 1."""
    count = itertools.count(1)
    return lambda messages, said: (error or ModelUnavailableError("http://x", "refused")) if next(count) in at else None


CASES = {
    "a post": ({"messages": [post()]}, lambda: ScriptedModel(script=ZH_CHAIN), {}),
    "an English post": ({"messages": [post(EN_POST)]}, lambda: ScriptedModel(script=EN_CHAIN), {}),
    "a talk": ({"messages": [*SAID, post()]}, lambda: ScriptedModel(script=ZH_CHAIN), {"region": "CN"}),
    "a revealed chain": ({"messages": [post()]}, lambda: ScriptedModel(script=ZH_CHAIN), {"reveal_chain": True}),
    "a post to clean": ({"messages": [post(f"\u202e{POST}\x00")]}, lambda: ScriptedModel(script=ZH_CHAIN), {}),
    "a crisis": ({"messages": [post(CRISIS)]}, lambda: ScriptedModel(script=ZH_CHAIN), {"region": "CN"}),
    "after a crisis": (
        {"messages": [HumanMessage(CRISIS, id="0"), AIMessage("我在这里。", id="1"), post("有")], "crisis": None},
        lambda: ScriptedModel(script=ZH_CHAIN),
        {"region": "HK"},
    ),
    "no inference": ({"messages": [post()]}, lambda: ScriptedModel(script=ZH_CHAIN), {"infer": False}),
    "an unknown post": ({"messages": [post()]}, lambda: ScriptedModel(script=ZH_CHAIN, known=False), {}),
    "invalid sections": ({"messages": [post()]}, lambda: ScriptedModel(script=BROKEN), {}),
    "a resumed turn": ({"messages": [post()], **DONE}, lambda: ScriptedModel(script=ZH_CHAIN), {}),
    "a hosted model": ({"messages": [post()]}, lambda: SpeakingModel(answer=lambda _: ZH_CHAIN["response"]), {}),
    "a silent model": ({"messages": [post()]}, lambda: SpeakingModel(answer=lambda _: ""), {}),
    "away once": ({"messages": [post()]}, lambda: ScriptedModel(script=ZH_CHAIN, fail=fails({1})), {}),
    "away": ({"messages": [post()]}, lambda: ScriptedModel(script=ZH_CHAIN, fail=fails({1, 2})), {}),
    "cut": ({"messages": [post()], **DONE}, lambda: ScriptedModel(script=ZH_CHAIN, piece=9, fail=fails({12})), {}),
    "nothing to answer": ({"messages": [AIMessage("你好")]}, lambda: ScriptedModel(script=ZH_CHAIN), {}),
}


@pytest.mark.parametrize("case", CASES)
async def test_each_step_is_the_same(case):
    given, model, options = CASES[case]

    async def walked(context):
        async for node, update in Walk(build_graph()).steps(given, context):
            yield {node: update}

    def run(context):
        return build_graph().compile().astream(given, context=context, stream_mode="updates")

    first, second = [await _heard(way, Context(model=model(), **options)) for way in (walked, run)]
    assert first == second
    if case in ("away", "cut", "nothing to answer"):
        assert first[-1] in (ModelUnavailableError, ReplyCutError, EmptyPostError)
    else:
        assert next(iter(first[-1]))[0] in ("guard", "crisis")


async def _heard(way, context):
    """Each step, what it said, and the error that ended the run; without clocks and made-up ids."""
    steps = []
    try:
        async for data in way(context):
            ((node, update),) = data.items()
            steps.append(
                {(node, name): _plain(name, value) for name, value in (update or {}).items()} or {(node,): None}
            )
    except Exception as error:
        steps.append(type(error))
    return steps


def _plain(name, value):
    if name == "messages":
        return [(type(message), message.content) for message in value]
    if name == "timings" and value:
        return {node: sorted(timing.keys() - {"first_token_seconds"}) for node, timing in value.items()}
    return value


async def test_a_reducer_sees_what_was_there_before():
    walk = Walk(build_graph())
    model = ScriptedModel(script=ZH_CHAIN)
    steps = [step async for step in walk.steps({"messages": [*SAID, post()]}, Context(model=model))]
    assert [node for node, _ in steps] == ["screen", "emotion", "cause", "intention", "response", "guard"]
    assert [message.text for message in model.asked[-1][1:-1]] == [*(m.text for m in SAID), POST]


async def test_two_runs_share_nothing():
    walk = Walk(build_graph())
    for _ in range(2):
        model = ScriptedModel(script=ZH_CHAIN)
        [step async for step in walk.steps({"messages": [post()]}, Context(model=model))]
        assert [message.text for message in model.asked[0][1:-1]] == [POST]


def test_a_graph_with_parallel_nodes_is_refused():
    async def beside(state):
        return {}

    forked = build_graph().add_node("beside", beside).add_edge("cause", "beside")
    with pytest.raises(ValueError, match="compile this one"):
        Walk(forked)
