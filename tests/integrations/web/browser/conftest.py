"""The chat page in a real Chromium, over the real engine and a line that can be cut."""

from datetime import UTC, datetime, timedelta

import pytest

from empathy_r1.integrations.web.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine

from support.web_server import browser, chromium, live
from tiers import require


class Clock:
    """The time that the engine sees."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def changed():
    """Settings that a test wants otherwise."""
    return {}


@pytest.fixture
async def line(settings, model, clock, changed):
    require("browser", None if chromium() else "no Chromium (Debian: chromium)")
    pytest.importorskip("playwright", reason="playwright is not installed (tests/environments/browser.sh)")
    settings = settings.model_copy(update=changed)
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model, clock=clock))
    async with live(app) as line:
        yield line


@pytest.fixture
async def chrome(line):
    async with browser() as chrome:
        yield chrome


@pytest.fixture
async def visit(chrome, line):
    """Opens the page; every script error, and everything that the policy refuses, fails the test."""
    faults = []

    async def open_page(locale="zh-CN", **options):
        zone = "Asia/Shanghai" if locale.startswith("zh") else "America/New_York"
        options.setdefault("viewport", {"width": 1100, "height": 800})
        context = await chrome.new_context(locale=locale, timezone_id=zone, **options)
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
        page.set_default_timeout(120_000)
        await page.goto(line.url)
        await page.locator("#post").wait_for()
        return page

    yield open_page
    assert faults == []
