"""Tiers of the suite that need a component of their own: vllm, postgres, rasa, browser, langgraph."""

import os

import pytest


def require(tier: str, reason: str | None) -> None:
    """Skips the test, or what a fixture serves, for `reason`; a failure where REQUIRE names the tier.

    A reason of None means that the component is there.
    """
    if reason is None:
        return
    if tier in {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}:
        pytest.fail(f"tier {tier} is required (REQUIRE) and not there: {reason}", pytrace=False)
    pytest.skip(f"tier {tier}: {reason}")
