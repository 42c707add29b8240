"""From logits to the next token."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def choose(
    logits: NDArray[np.float32],
    *,
    temperature: float,
    top_p: float,
    repetition_penalty: float,
    seen: Sequence[int],
    dice: np.random.Generator,
) -> int:
    """The next token. Temperature 0 takes the likeliest one.

    `repetition_penalty` divides positive logits of the tokens in `seen` and multiplies negative ones
    (arXiv 1909.05858, section 4.1).
    """
    if repetition_penalty != 1.0 and seen:
        known = np.unique(np.fromiter(seen, np.int64))
        logits = logits.copy()
        values = logits[known]
        logits[known] = np.where(values > 0, values / repetition_penalty, values * repetition_penalty)
    if temperature <= 0:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()).astype(np.float64) / temperature)
    weights /= weights.sum()
    if top_p < 1:
        order = np.argsort(-weights, kind="stable")
        # The token that passes the bound is kept, so at least one is.
        kept = order[: int(np.searchsorted(np.cumsum(weights[order]), top_p)) + 1]
        return int(dice.choice(kept, p=weights[kept] / weights[kept].sum()))
    return int(dice.choice(len(weights), p=weights))
