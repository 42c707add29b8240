"""The open corpus of long posts with Chain-of-Empathy reasoning, in Chinese and English.

Synthetic: written for this project, one record at a time, by a language model. See DATACARD.md beside this file
for how it was made, what it holds and what it must not be used for; the data are licensed CC BY 4.0 (LICENSE.md).

    from empathy_r1.training.corpus import chain, load
    for record in load(locale="zh", split="train"):
        print(chain(record)["response"])
"""

from empathy_r1.training.corpus.loader import load
from empathy_r1.training.corpus.schema import Cause, Emotion, Intention, Record, Rejected, chain

__all__ = ["Cause", "Emotion", "Intention", "Record", "Rejected", "chain", "load"]
