"""The nodes of the graph: each an explicit step of the Chain of Empathy, or of keeping the person safe.

Emotion, cause and intention are the paper's L1 to L3; the response node writes L4 and the answer
(arXiv 2509.14851). A node whose result already stands in the state does nothing: so a turn resumes.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from hashlib import sha256
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.runtime import Runtime
from pydantic import SecretStr

from empathy_r1.graph import safety, wire
from empathy_r1.graph.errors import EmptyPostError
from empathy_r1.graph.generate import Ask, OutOfTimeError
from empathy_r1.graph.models import ContinuesFinalMessage
from empathy_r1.graph.speech import FIXED, Speech
from empathy_r1.graph.state import Chain, Context, State
from empathy_r1.graph.text import admit, locale_of
from empathy_r1.graph.voice import speak
from empathy_r1.graph.wire import HIDDEN, Section

Update = dict[str, Any]
_INNER_SHARE = 0.2
"""Part of the remaining time that one hidden section may take: half is left to the reply after all three."""


async def screen(state: State, runtime: Runtime[Context]) -> Update:
    """Screens the post and, for a post that the state does not hold yet, clears the last turn's results."""
    context = _context(runtime)
    post = _post(state)
    text = post.text if context.max_post_chars is None else admit(post.text, context.max_post_chars)
    locale = context.locale or locale_of(text)
    found = safety.screen(text, _posts(state)[:-1])
    update: Update = {
        "locale": locale,
        "in_crisis": safety.holds(found, text, state=state.get("crisis"), locale=locale),
        "level": found.level,
        "kinds": list(found.kinds),
        "messages": [HumanMessage(text, id=post.id, name=post.name)] if text != post.text else [],
    }
    if state.get("turn") != post.id:
        update |= dict.fromkeys((*HIDDEN, "degraded", "chain", "card", "timings", "passed"), None)
        update |= {"turn": post.id, "withheld": {}}
    return update


async def route(state: State) -> str:
    """A person in crisis never meets the model."""
    return "crisis" if state["in_crisis"] else "emotion"


async def emotion(state: State, runtime: Runtime[Context]) -> Update:
    """L1: what the person feels."""
    model = _model(runtime)
    if isinstance(model, ContinuesFinalMessage) and not model.knows("\n".join(_posts(state))):
        return {"degraded": "outside"}
    return await _write("emotion", state, runtime)


async def cause(state: State, runtime: Runtime[Context]) -> Update:
    """L2: what brought these feelings about, and how the person understands it."""
    return await _write("cause", state, runtime)


async def intention(state: State, runtime: Runtime[Context]) -> Update:
    """L3: what the person hopes for by writing."""
    return await _write("intention", state, runtime)


async def response(state: State, runtime: Runtime[Context]) -> Update:
    """L4 and the answer: the strategy, hidden, then the reply, streamed through the guard by the sentence."""
    if isinstance(state["messages"][-1], AIMessage):
        return {}
    context, post = _context(runtime), _post(state)
    speech = Speech(
        ask=Ask(
            model=_model(runtime),
            conversation=_conversation(state, context),
            chain=_chain(state),
            locale=state["locale"],
            mode=context.mode,
            to_end=True,
            bare=not context.infer,
            until=context.until,
        ),
        post=post.text,
        region=context.region,
        closing=_closing(state, context),
        degraded=state.get("degraded"),
    )
    message = await speak(speech.pieces(), post, context.hear)
    chain = speech.ask.chain
    return {
        "messages": [message],
        "degraded": speech.degraded,
        "withheld": dict(speech.withheld),
        "timings": {"response": speech.ask.timing},
        "passed": _digest(message.text, chain) if speech.passed == message.text else None,
        **{section: SecretStr(text) for section, text in chain.items() if state.get(section) is None},
    }


async def guard(state: State, runtime: Runtime[Context]) -> Update:
    """The last look at the whole reply, and the only place where the chain may be revealed."""
    context = _context(runtime)
    reply = state["messages"][-1]
    update: Update = {}
    chain = _chain(state)
    # Word for word as the stream's guard let it out, against the same chain: to read it again would find the same.
    found = state.get("passed") != _digest(reply.text, chain) and safety.check(
        reply.text,
        locale=state["locale"],
        region=context.region,
        sealed=list(chain.values()),
        post=_post(state).text,
    )
    if found:
        update["messages"] = [AIMessage(FIXED[state["locale"]], id=reply.id)]
        update["withheld"] = dict(Counter(state.get("withheld") or {}) + Counter(found))
        update["degraded"] = "fixed"
    if context.reveal_chain:
        update["chain"] = Chain(**{section: chain.get(section, "") for section in HIDDEN})  # type: ignore[typeddict-item]
    if _help_stays(state):
        update["crisis"] = safety.rest(state.get("crisis"))
        update["card"] = safety.help_for(context.region, state["locale"]).as_json()
    return update


async def crisis(state: State, runtime: Runtime[Context]) -> Update:
    """Meets a person in crisis with help, from tables only: no model, no network, no database."""
    if isinstance(state["messages"][-1], AIMessage):
        return {}
    started = time.perf_counter()
    post = _post(state)
    answer = safety.reply(
        safety.screen(post.text, _posts(state)[:-1]),
        post.text,
        state=state.get("crisis"),
        locale=state["locale"],
        region=_context(runtime).region,
    )
    return {
        "messages": [await speak(_once(answer.text), post, _context(runtime).hear)],
        "card": answer.card.as_json(),
        "crisis": answer.state,
        "timings": {"crisis": {"seconds": time.perf_counter() - started}},
    }


async def _write(section: Section, state: State, runtime: Runtime[Context]) -> Update:
    context = _context(runtime)
    if state.get(section) is not None or state.get("degraded") or not context.infer:
        return {}
    ask = Ask(
        model=_model(runtime),
        conversation=_conversation(state, context),
        chain=_chain(state),
        locale=state["locale"],
        mode=context.mode,
        until=_share(context.until),
    )
    with contextlib.suppress(OutOfTimeError):  # the reply matters more than what leads to it
        for again in (False, True):
            ask.again = again
            valid = wire.repair(section, await ask.text(), state["locale"])
            if valid is not None:
                return {section: SecretStr(valid), "timings": {section: ask.timing}}
    return {"degraded": "one_pass", "timings": {section: ask.timing}}


def _share(until: float | None) -> float | None:
    """When a hidden section must stand: it has a fifth of the time that is left."""
    if until is None:
        return None
    now = asyncio.get_running_loop().time()
    return now + _INNER_SHARE * (until - now)


def _context(runtime: Runtime[Context]) -> Context:
    return runtime.context or Context()


def _model(runtime: Runtime[Context]) -> BaseChatModel:
    model = _context(runtime).model
    if model is None:
        # Imported when it is needed: a host that brings its own model installs no runtime for ours.
        from empathy_r1.graph.models.embedded import shipped_model

        model = shipped_model()
    return model


def _post(state: State) -> HumanMessage:
    post = next((m for m in reversed(state["messages"]) if isinstance(m, HumanMessage)), None)
    if post is None:
        raise EmptyPostError
    return post


def _posts(state: State) -> list[str]:
    return [m.text for m in state["messages"] if isinstance(m, HumanMessage)]


def _conversation(state: State, context: Context) -> list[BaseMessage]:
    """Posts and replies up to the post, without system or tool messages of the host."""
    spoken: list[BaseMessage] = [m for m in state["messages"] if isinstance(m, HumanMessage | AIMessage) and m.text]
    return spoken[-(context.max_history + 1) :]


def _chain(state: State) -> dict[Section, str]:
    """The finished sections, up to the first that is missing."""
    chain: dict[Section, str] = {}
    for section in HIDDEN:
        sealed = cast("SecretStr | None", state.get(section))
        if sealed is None:
            break
        chain[section] = sealed.get_secret_value()
    return chain


def _digest(reply: str, chain: Mapping[Section, str]) -> str:
    words = "\0".join((reply, *(f"{section}={chain[section]}" for section in HIDDEN if section in chain)))
    return sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def _help_stays(state: State) -> bool:
    return state["level"] == "concern" or state.get("crisis") is not None


def _closing(state: State, context: Context) -> str:
    return safety.help_in_view(context.region, state["locale"], state.get("crisis")) if _help_stays(state) else ""


async def _once(text: str) -> AsyncGenerator[str]:
    yield text
