"""Posts with answers, and a teacher that knows their chains."""

from empathy_r1.graph import safety, wire
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.questions import Question

from support.scripted_http import Messages

HELD = [s for s in samples("zh", 40, 8) if not safety.screen(s["post"]).alarm][:6]
QUESTIONS = [
    Question(id=s["id"], locale="zh", source="own", topic=s["topic"], post=s["post"], answers=[s["chain"]["response"]])
    for s in HELD
]


def good(messages: Messages) -> tuple[int, str]:
    """The gold chain of the post that is asked about."""
    sample = next(s for s in HELD if s["post"] in messages[1]["content"])
    return 200, wire.render({k: v for k, v in sample["chain"].items() if k != "response"})
