"""An engine over each database, with a scripted model and a clock that a test sets."""

from datetime import UTC, datetime, timedelta

import pytest

from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_by(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings(
        database_url=database_url, data_dir=tmp_path, encryption_keys=new_key("t"), lease_seconds=3, drain_seconds=5
    )


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


@pytest.fixture
async def engine(settings, model, clock):
    async with EmpathyEngine.open(settings, model=model, clock=clock) as engine:
        yield engine
