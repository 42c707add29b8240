"""What flows through the graph: input, output, private state, and the context of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import SecretStr, WithJsonSchema
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety.levels import Kind, Level
from empathy_r1.graph.text import MAX_POST_CHARS

Mode = Literal["auto", "continue", "instruct"]


Degraded = Literal["one_pass", "outside", "fixed"]
"""`one_pass`: a hidden section stayed invalid, the rest was written in one go. `outside`: the embedded model
does not know such posts and says so. `fixed`: the model wrote nothing usable, a table sentence stands in."""


class Chain(TypedDict):
    """The revealed chain of one turn: the four hidden sections as the model wrote them, repaired."""

    emotion: str
    cause: str
    intention: str
    strategy: str


class Timing(TypedDict):
    """What one node cost."""

    seconds: float
    """Wall time of the node."""
    first_token_seconds: NotRequired[float]
    """Time to the model's first token."""
    input_tokens: NotRequired[int]
    cached_tokens: NotRequired[int]
    """Prompt tokens that the model found in its cache."""
    output_tokens: NotRequired[int]


def _merged(old: dict[str, Timing] | None, new: dict[str, Timing] | None) -> dict[str, Timing]:
    return {} if new is None else {**(old or {}), **new}


class Input(TypedDict):
    """What a host sends: the conversation, ending in the person's post.

    To resume a turn elsewhere, pass its finished sections with `turn` set to the id of the post's message.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    crisis: NotRequired[dict[str, Any] | None]
    """Where the crisis dialogue stands, as the last turn returned it."""
    turn: NotRequired[str]
    emotion: NotRequired[SecretStr | None]
    cause: NotRequired[SecretStr | None]
    intention: NotRequired[SecretStr | None]


class Output(TypedDict):
    """What a host gets: the conversation with the reply, and what the person may know about it."""

    messages: Annotated[list[AnyMessage], add_messages]
    level: Level
    kinds: list[Kind]
    crisis: NotRequired[dict[str, Any] | None]
    card: dict[str, Any] | None
    """Help lines for the person, where the level asks for them (empathy_r1.graph.safety.help)."""
    chain: Chain | None
    """None unless `Context.reveal_chain`."""
    degraded: Degraded | None
    """How far down the ladder the reply came from; None is the whole chain."""
    withheld: dict[str, int]
    """Guard rule -> how often it withheld something."""
    timings: Annotated[dict[str, Timing], _merged]


class State(Input, Output):
    """Private state of a run. Hidden sections are sealed, so that no stream, event or log prints them."""

    locale: Locale
    in_crisis: bool
    """The crisis dialogue takes this turn."""
    strategy: SecretStr | None
    passed: str | None
    """Digest of a reply, and of the sections it was held against, that the guard read as it was said."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a run needs from its host."""

    model: Annotated[BaseChatModel | None, WithJsonSchema({"type": "null"})] = None
    """The policy. None takes the embedded model; a host that sends its context as JSON can send nothing else."""
    locale: Locale | None = None
    """Language of the reply. None takes the language of the post."""
    region: str | None = None
    """ISO 3166-1 alpha-2 country for help lines, such as CN."""
    reveal_chain: bool = False
    """Whether the hidden sections may leave the graph: for operators and reviewers."""
    mode: Mode = "auto"
    """`continue` grows one assistant message, `instruct` prompts each node; `auto` asks the model's class."""
    max_history: int = 20
    """Earlier messages that the model sees."""
    max_post_chars: int | None = MAX_POST_CHARS
    """Most characters of a post. None: the host has cleaned and bounded it itself (empathy_r1.graph.text.admit)."""
    infer: bool = True
    """Whether the model reads emotion, cause and intention out of the post; without, it writes the reply alone."""
    hear: Annotated[Callable[[str], None] | None, WithJsonSchema({"type": "null"})] = None
    """Called with each checked piece of the reply as it is said, for a host in the same process. LangGraph's own
    stream of messages, which costs a run of its own for each reply, then stays silent."""
    until: float | None = None
    """When the model must have spoken, on the event loop's clock. The stages share the time that is left; one that
    takes more than its share is left out."""
