"""Safety of the conversation: what is screened, said in a crisis, withheld from a reply, and disclosed."""

from empathy_r1.graph.safety.crisis import (
    CrisisReply,
    grounding,
    help_in_view,
    holds,
    reply,
    rest,
    safety_plan,
)
from empathy_r1.graph.safety.disclosures import Disclosure, DisclosureHistory, due, noted, opened, seen
from empathy_r1.graph.safety.guard import Guard, check, identity_answer
from empathy_r1.graph.safety.help import HelpCard, HelpLine, help_for
from empathy_r1.graph.safety.levels import Kind, Level, Screening, worse
from empathy_r1.graph.safety.protocol import protocol_text, published_protocol
from empathy_r1.graph.safety.screen import screen

__all__ = [
    "CrisisReply",
    "Disclosure",
    "DisclosureHistory",
    "Guard",
    "HelpCard",
    "HelpLine",
    "Kind",
    "Level",
    "Screening",
    "check",
    "due",
    "grounding",
    "help_for",
    "help_in_view",
    "holds",
    "identity_answer",
    "noted",
    "opened",
    "protocol_text",
    "published_protocol",
    "reply",
    "rest",
    "safety_plan",
    "screen",
    "seen",
    "worse",
]
