"""A model folder's tokenizer and chat template: messages to tokens and tokens to text, without transformers.

The folder's own Jinja template is rendered as `transformers.apply_chat_template` renders it, so serving sends the
tokens that training saw; with one difference on purpose. What a template writes and what a message says are
told apart, and a message's text never becomes a special token.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from empathy_r1.graph.errors import ModelNotFoundError

_MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Noncharacters: Unicode keeps them for a program's own use, so no text that is sent around holds them."""


class ChatText:
    """The tokenizer and the template of the model in `folder`."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "tokenizer.json").is_file():
            raise ModelNotFoundError(str(folder / "tokenizer.json"), "the tokenizer of the model beside it")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # Special tokens are recognised here, in what the template wrote, and nowhere else.
        self._tokenizer.encode_special_tokens = True
        added = self._tokenizer.get_added_tokens_decoder()
        special = {token.content: token for token in added.values() if token.special}
        self._ids = {token.content: at for at, token in added.items()}
        longest_first = sorted(special, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._control = "|".join(
            (r"\s*" if special[t].lstrip else "") + f"(?:{re.escape(t)})" + (r"\s*" if special[t].rstrip else "")
            for t in longest_first
        )
        config = _json(folder / "tokenizer_config.json")
        self._names = {k: v["content"] if isinstance(v, dict) else v for k, v in config.items() if _names_token(k, v)}
        self._template = _template(folder, config)

    def prompt(self, messages: Sequence[BaseMessage]) -> list[int]:
        """Tokens of the conversation, open for the model to go on.

        A last `AIMessage` stays open; otherwise a new assistant message is begun.

        Raises:
            ValueError: no message, a role that the model has no place for, or a template that refuses them.
        """
        if not messages:
            raise ValueError("There is no message. Expected at least one: the post to answer.")
        spoken = [{"role": _role(m), "content": m.text} for m in messages]
        mark, end = self._unused(m["content"] for m in spoken)
        for message in spoken:
            message["content"] = self._special.sub(lambda m: "".join(c + mark for c in m[0]), message["content"])
        continued = isinstance(messages[-1], AIMessage)
        if continued:
            # A blank after the mark, as transformers has it, shows whether the template strips messages.
            spoken[-1]["content"] += end + " "
        try:
            text = self._template.render(messages=spoken, add_generation_prompt=not continued, **self._names)
        except jinja2.TemplateError as error:
            raise ValueError(f"The model's chat template refuses these messages: {error}") from error
        if continued:
            text = _open(text, end)
        return self._encode(text, mark)

    def tokens(self, text: str) -> list[int]:
        """Tokens of `text` as the content of a message."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def vocabulary(self) -> tuple[dict[str, int], list[int]]:
        """Spelling -> token, and the tokens that the tokenizer was given beside its own."""
        return self._tokenizer.get_vocab(with_added_tokens=True), list(self._tokenizer.get_added_tokens_decoder())

    def detokenizer(self) -> "Detokenizer":
        """Turns the tokens of one answer into text."""
        return Detokenizer(self._tokenizer)

    def _unused(self, contents: Iterable[str]) -> tuple[str, str]:
        used = set("".join(contents))
        free = [mark for mark in _MARKS if mark not in used]
        if len(free) < 2:
            raise ValueError("The messages hold nearly all Unicode noncharacters. Expected text: remove them.")
        return free[0], free[1]

    def _encode(self, text: str, mark: str) -> list[int]:
        if not self._control:
            return self.tokens(text.replace(mark, ""))
        found, at = [], 0
        for control in re.finditer(f"({self._control})(?!{mark})", text):
            found += self.tokens(text[at : control.start()].replace(mark, ""))
            found.append(self._ids[control[0].strip()])
            at = control.end()
        return found + self.tokens(text[at:].replace(mark, ""))


class Detokenizer:
    """Text of tokens as they come. Half a character waits for its other half; special tokens are silent."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)

    def step(self, token: int) -> str:
        """The text that `token` completes, or an empty string."""
        return self._stream.step(self._tokenizer, token) or ""


def _role(message: BaseMessage) -> str:
    for kind, role in ((HumanMessage, "user"), (AIMessage, "assistant"), (SystemMessage, "system")):
        if isinstance(message, kind):
            return role
    raise ValueError(f"The embedded model takes no {message.type} message. Expected system, human and ai messages.")


def _open(text: str, end: str) -> str:
    if end not in text:
        raise ValueError("The model's chat template drops the message to continue: it cannot be continued.")
    at = text.rindex(end)
    return text[:at] if text[at : at + 2] == end + " " else text[:at].rstrip()


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def _names_token(key: str, value: Any) -> bool:
    return key.endswith("_token") and isinstance(value, str | dict)


def _template(folder: Path, config: Mapping[str, Any]) -> jinja2.Template:
    file = folder / "chat_template.jinja"
    source = file.read_text("utf-8") if file.is_file() else config.get("chat_template")
    if isinstance(source, list):
        source = next((t["template"] for t in source if t["name"] == "default"), None)
    if not source:
        raise ModelNotFoundError(str(file), "the chat template of a model that was trained to chat")
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals |= {"raise_exception": _raise, "strftime_now": _now, "namespace": _Namespace}
    return environment.from_string(source)


class _Generation(jinja2.ext.Extension):
    """`{% generation %}` marks what is trained on; rendering passes it through."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Namespace(jinja2.utils.Namespace):
    """A namespace without underscored names: a template comes with a model, from anywhere."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"A chat template may not set {name!r} on a namespace.")
        super().__setitem__(name, value)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
