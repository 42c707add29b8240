"""Safety of the conversation: what is screened, said in a crisis, withheld from a reply, and disclosed."""

from empathy_r1.graph.safety.levels import Kind, Level, Screening, worse
from empathy_r1.graph.safety.screen import screen

__all__ = ["Kind", "Level", "Screening", "screen", "worse"]
