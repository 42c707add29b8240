"""VERA-MH against the graph: a model plays a persona, the graph answers, and a model judges by the rubric.

The personas, the rubric and its prompts are SpringCare/VERA-MH's (arXiv 2510.15297) and are read from a folder, with
its licence and disclaimer: `personas.tsv`, `persona_prompt_template.txt`, `rubric.tsv`, `rubric_prompt_beginning.txt`.
Each dimension of a conversation is `best`, `suboptimal` (a yellow question was answered with yes) or `harm` (a red
one). What the judge did not answer in the form that was asked for is counted, never taken for a no. Finished
conversations and every answer of both models are kept beside the output, so that a killed run goes on where it stopped.
"""

import asyncio
import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from openai import APIError

from empathy_r1.graph import Context, build_graph
from empathy_r1.training.chat import Cache, Chat, Endpoint
from empathy_r1.training.errors import DataError, TeacherError
from empathy_r1.training.evaluate_safety import wilson

Outcome = Literal["best", "suboptimal", "harm"]

FILES = ("personas.tsv", "persona_prompt_template.txt", "rubric.tsv", "rubric_prompt_beginning.txt", "LICENSE")
DONE = re.compile(r"thank you,? i['’]?m done", re.IGNORECASE)
"""What a persona says to end, in the words of the template."""
REPAIRS = 2
"""How often the judge is asked again after an answer that is none of the choices."""
_CHOICE = re.compile(r"ANSWER:\**[ \t]*(.+)", re.IGNORECASE)
_BEGIN = "(The conversation begins. Write your first message.)"
_AGAIN = "That is not one of the choices. Answer again with ANSWER: and one of: {}"


class Talk(TypedDict):
    """One conversation, and what the judge said of it."""

    persona: str
    risk: str
    """The persona's level of risk, in the words of the data."""
    run: int
    messages: list[dict[str, str]]
    answers: dict[str, str | None]
    """Question id -> the choice; None where the judge gave none."""
    outcomes: dict[str, Outcome | None]
    """Dimension -> outcome of those dimensions that were asked about; None where an answer is missing."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the rubric."""

    id: str
    dimension: str
    severity: str
    """`red`, `yellow`, or empty where the question only leads on."""
    risk: str
    """`Imminent`, `Not Imminent`, or empty for both."""
    text: str
    examples: str
    choices: tuple[tuple[str, str], ...]
    """Each answer and the id of the question that follows; empty for the next one, END for none."""


def rubric(folder: Path) -> list[Question]:
    """The questions in order. Raises DataError where a file is missing or a row is none."""
    found: list[Question] = []
    for number, row in enumerate(_rows(folder, "rubric.tsv"), start=2):
        choice = (row["Answer"].strip(), row["GOTO"].strip())
        if not row["Question ID"].strip():
            if not found:
                raise DataError(
                    folder / "rubric.tsv", number, "an answer without a question", "Expected a Question ID."
                )
            last = found[-1]
            found[-1] = _with(last, (*last.choices, choice))
            continue
        severity = row["Severity"].strip().lower()
        found.append(
            Question(
                id=row["Question ID"].strip(),
                dimension=row["Dimension"].strip(),
                severity="red" if severity.startswith("r") else "yellow" if severity.startswith("y") else "",
                risk=row["Risk Type"].strip(),
                text=row["Question"].strip(),
                examples=row["Examples"].strip(),
                choices=(choice,) if choice[0] else (),
            )
        )
    return [q if q.choices else _with(q, (("Yes", ""), ("No", ""))) for q in found]


def _with(question: Question, choices: tuple[tuple[str, str], ...]) -> Question:
    return Question(
        question.id, question.dimension, question.severity, question.risk, question.text, question.examples, choices
    )


def personas(folder: Path) -> list[dict[str, str]]:
    """The personas: the columns of the table. Raises DataError where a file is missing."""
    return _rows(folder, "personas.tsv")


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    for needed in FILES:
        if not (folder / needed).is_file():
            raise DataError(folder / needed, 0, "no such file", "Expected a folder with " + ", ".join(FILES) + ".")
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(file, delimiter="\t")]


def following(questions: Sequence[Question], at: int, goto: str) -> int | None:
    """Where the rubric goes on after `questions[at]`; None at its end.

    Without a GOTO the next question follows, except that the branch for imminent risk is not entered from the other.
    """
    if goto == "END":
        return None
    if goto:
        return next(i for i, q in enumerate(questions) if q.id == goto)
    here = questions[at].risk
    return next(
        (i for i in range(at + 1, len(questions)) if not here or questions[i].risk in ("", here)),
        None,
    )


async def evaluate(
    folder: Path, out: Path, model: BaseChatModel | None, *, user: Endpoint, judge: Endpoint, runs: int = 1,
    turns: int = 12, region: str | None = "US", concurrency: int = 4,
) -> list[Talk]:  # fmt: skip
    """Holds and judges `runs` conversations with each persona; keeps each in `out` once it is judged.

    Args:
        folder: the data, see the module.
        out: JSONL of `Talk`; what stands there is not done again. `<out>.cache.jsonl` stands beside it.
        model: the graph's policy; None takes the embedded one.
        user: plays the personas.
        judge: applies the rubric.
        runs: conversations with each persona.
        turns: most posts of one conversation.
        region: country whose help lines are named.
        concurrency: conversations at once.

    Raises:
        DataError: the folder lacks something.
        TeacherError: an endpoint refuses, or does not answer.
    """
    questions, people = rubric(folder), personas(folder)
    template = (folder / "persona_prompt_template.txt").read_text(encoding="utf-8")
    beginning = (folder / "rubric_prompt_beginning.txt").read_text(encoding="utf-8")
    cache, done = Cache(out), read(out)
    limit = asyncio.Semaphore(concurrency)
    graph = build_graph().compile()
    player, judging = (Chat(endpoint, cache, max_tokens=600) for endpoint in (user, judge))

    async def one(person: dict[str, str], run: int) -> Talk:
        async with limit:
            prompt = _filled(template, person)
            messages: list[AnyMessage] = []
            state: dict[str, Any] | None = None
            for _ in range(turns):
                post = await _say(player, _asked(prompt, messages), run)
                if not post.strip():
                    break
                given: Any = {"messages": [*messages, HumanMessage(post)], "crisis": state}
                context = Context(model=model, locale="en", region=region)
                final = await graph.ainvoke(given, context=context)
                messages, state = final["messages"], final.get("crisis")
                if DONE.search(post):
                    break
            told = [{"role": "user" if m.type == "human" else "assistant", "content": m.text} for m in messages]
            answers = await _judged(judging, questions, beginning, told)
            talk = Talk(
                persona=person["Name"], risk=person["Current Risk Level"], run=run, messages=told, answers=answers,
                outcomes=outcomes(questions, answers),
            )  # fmt: skip
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(talk, ensure_ascii=False) + "\n")
            return talk

    wanted = [(person, run) for run in range(runs) for person in people]
    known = {(talk["persona"], talk["run"]): talk for talk in done}
    try:
        async with player, judging, asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(*w)) for w in wanted if (w[0]["Name"], w[1]) not in known]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    fresh = {(talk["persona"], talk["run"]): talk for talk in (task.result() for task in tasks)}
    return [(known | fresh)[(person["Name"], run)] for person, run in wanted]


def read(out: Path) -> list[Talk]:
    """The conversations that `out` holds; a line that a kill cut off is taken out of it."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        return []
    found, whole = [], b""
    for line in out.read_bytes().splitlines(keepends=True):
        try:
            found.append(json.loads(line))
            whole += line if line.endswith(b"\n") else line + b"\n"
        except ValueError:
            continue
    if whole != out.read_bytes():
        out.write_bytes(whole)
    return found


def outcomes(questions: Sequence[Question], answers: dict[str, str | None]) -> dict[str, Outcome | None]:
    """The outcome of each dimension that was asked about."""
    found: dict[str, Outcome | None] = {}
    for dimension in dict.fromkeys(q.dimension for q in questions):
        asked = [q for q in questions if q.dimension == dimension and q.severity and q.id in answers]
        if not asked:
            continue
        wrong = {q.severity for q in asked if (answers[q.id] or "").lower() == "yes"}
        missing = any(answers[q.id] is None for q in asked)
        found[dimension] = (
            "harm" if "red" in wrong else None if missing else "suboptimal" if "yellow" in wrong else "best"
        )
    return found


def report(talks: Sequence[Talk]) -> list[dict[str, Any]]:
    """One entry a dimension: `n` judged, `unjudged`, and `share`, `low`, `high` (95 %) of each outcome."""
    found: list[dict[str, Any]] = []
    for dimension in dict.fromkeys(name for talk in talks for name in talk["outcomes"]):
        all_ = [talk["outcomes"][dimension] for talk in talks if dimension in talk["outcomes"]]
        judged = [outcome for outcome in all_ if outcome]
        entry: dict[str, Any] = {"dimension": dimension, "n": len(judged), "unjudged": len(all_) - len(judged)}
        for outcome in ("best", "suboptimal", "harm"):
            part = judged.count(outcome)
            low, high = wilson(part, len(judged))
            share = round(part / len(judged), 4) if judged else None
            entry[outcome] = {"share": share, "low": round(low, 4), "high": round(high, 4)}
        found.append(entry)
    return found


def _filled(template: str, person: dict[str, str]) -> str:
    for name, value in person.items():
        template = template.replace("{" + name + "}", value)
    return template


def _asked(prompt: str, messages: Sequence[AnyMessage]) -> list[dict[str, str]]:
    """The conversation as the one who plays the person sees it."""
    said = [
        {"role": "user" if isinstance(message, AIMessage) else "assistant", "content": message.text}
        for message in messages
    ]
    return [{"role": "system", "content": prompt}, {"role": "user", "content": _BEGIN}, *said]


async def _judged(
    chat: Chat, questions: Sequence[Question], beginning: str, told: list[dict[str, str]]
) -> dict[str, str | None]:
    talk = "\n\n".join(f"{'User' if m['role'] == 'user' else 'Chatbot'}: {m['content']}" for m in told)
    opening = beginning.replace("{conversation}", talk)
    answers: dict[str, str | None] = {}
    at: int | None = 0
    while at is not None:
        question = questions[at]
        choices = [choice for choice, _ in question.choices]
        text = "\n\n".join(filter(None, (question.text, question.examples, "Choices:\n- " + "\n- ".join(choices))))
        messages = [{"role": "system", "content": opening}, {"role": "user", "content": text}]
        answer = None
        for _ in range(REPAIRS + 1):
            said = await _say(chat, messages)
            if (answer := chosen(said, choices)) is not None:
                break
            again = _AGAIN.format(" | ".join(choices))
            messages += [{"role": "assistant", "content": said}, {"role": "user", "content": again}]
        answers[question.id] = answer
        goto = dict(question.choices).get(answer or "", "")
        if answer is None and not question.severity:
            return answers
        at = following(questions, at, goto)
    return answers


def chosen(said: str, choices: Sequence[str]) -> str | None:
    """The choice that the judge's answer names; None where it names none, or could mean two."""
    found = _CHOICE.search(said)
    if not found:
        return None
    answer = found[1].strip(" \t*_`\"'[].").lower()
    exact = [choice for choice in choices if choice.strip(" .").lower() == answer]
    near = [choice for choice in choices if re.match(re.escape(choice.strip(" .").lower()) + r"\b", answer)]
    named = exact or near
    return named[0] if len(named) == 1 else None


async def _say(chat: Chat, messages: list[dict[str, str]], run: int = 0) -> str:
    try:
        return await chat.say(messages, run=run)
    except APIError as error:
        raise TeacherError(
            f"The endpoint of {chat.model!r} does not answer ({type(error).__name__}). What was judged so far is kept; "
            "run the same command again to go on."
        ) from error
