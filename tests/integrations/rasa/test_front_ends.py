"""Front ends of others in a real Chromium, on a page of another origin, with our server in Rasa's place."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route

from empathy_r1.integrations.app import create_app
from empathy_r1.integrations.rasa.talk import GREETING
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import EN_CHAIN, ZH_CHAIN, ScriptedModel
from support.web_server import browser, chromium, live
from tiers import require

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "examples" / "front_ends"
FETCHED = ROOT / ".cache" / "front-ends"
SERVER = "http://localhost:8000"
POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"
CRISIS = "我不想活了，今晚就想结束这一切"
FIRST, LAST = ZH_CHAIN["response"].split("\n\n")


class FrontEnds:
    """The pages of examples/front_ends, each with what its node_modules would hold."""

    def __init__(self):
        self.server, self.versions, self.policy = "", {}, ""
        self.app = Starlette(
            routes=[Route("/node_modules/{name}/{path:path}", self.module), Route("/{page}", self.page)]
        )

    async def page(self, request):
        text = (PAGES / request.path_params["page"]).read_text(encoding="utf-8").replace(SERVER, self.server)
        style = re.search("<style>(.*?)</style>", text, re.DOTALL)
        known = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() if style else ""
        headers = {"Content-Security-Policy": self.policy.format(style=known)} if self.policy else None
        return HTMLResponse(text, headers=headers)

    async def module(self, request):
        name = request.path_params["name"]
        return FileResponse(FETCHED / f"{name}@{self.versions[name]}" / request.path_params["path"])


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


@pytest.fixture
async def visit(tmp_path, model):
    require("browser", None if chromium() else "no Chromium (Debian: chromium)")
    require("browser", None if FETCHED.exists() else "no front ends (tests/environments/browser.sh)")
    pytest.importorskip("playwright", reason="playwright is not installed (tests/environments/browser.sh)")
    fronts, faults = FrontEnds(), []
    async with live(fronts.app) as site:
        settings = Settings(
            database_url=f"sqlite+aiosqlite:///{tmp_path}/f.db",
            data_dir=tmp_path,
            encryption_keys=new_key("t"),
            region="CN",
            cors_origins=[site.url.rstrip("/")],
        )
        app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
        async with live(app) as line, browser() as chrome:
            fronts.server = line.url.rstrip("/")

            async def visit(page_name, policy="", **versions):
                fronts.versions, fronts.policy = versions, policy.replace("{server}", fronts.server)
                page = await (await chrome.new_context(locale="en-US")).new_page()
                page.set_default_timeout(60_000)
                page.on("pageerror", lambda error: faults.append(str(error)))
                page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
                await page.goto(site.url + page_name)
                return page

            yield visit
    assert faults == []


@pytest.mark.parametrize("version", ["3.1.3", "4.8.4"])
async def test_socket_io_client(visit, version):
    page = await visit("socket-io.html", **{"socket.io-client": version})
    talk = page.locator("#talk")
    for text, told in ((POST, LAST), (CRISIS, "12356"), ("/restart", "给的是支持")):
        await page.locator("textarea").fill(text)
        await page.locator("button").click()
        await talk.get_by_text(told).first.wait_for()
    seen = await talk.inner_text()
    assert not any(ZH_CHAIN[section] in seen for section in ("emotion", "cause", "intention", "strategy"))


async def test_rasa_webchat(visit):
    page = await visit("rasa-webchat.html", **{"rasa-webchat": "1.0.1"})
    talk = page.locator(".rw-messages-container")
    await talk.get_by_text(GREETING.splitlines()[1]).first.wait_for()
    for text, told in ((POST, LAST), (CRISIS, "12356")):
        await page.locator(".rw-new-message").fill(text)
        await page.locator(".rw-new-message").press("Enter")
        await talk.get_by_text(told).first.wait_for()


async def test_deep_chat(visit, model):
    page = await visit("deep-chat.html", **{"deep-chat": "2.4.2"})
    for text, told in ((POST, LAST), (CRISIS, "12356")):
        await page.locator("#text-input").click()
        await page.keyboard.type(text)
        await page.keyboard.press("Enter")
        await page.locator("#messages").get_by_text(told).first.wait_for()
    assert len(model.asked) == 4


async def test_our_own_element_under_a_strict_policy_of_its_host(visit, model):
    model.script = EN_CHAIN
    policy = (
        "default-src 'none'; script-src {server}; connect-src {server}; style-src 'sha256-{style}'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    page = await visit("widget.html", policy)
    await page.locator("#post").fill("The third interview went wrong in the last round. My mother called.")
    await page.locator("#post").press("Enter")
    await page.locator("article[aria-busy=false] .reply", has_text="let the phone ring").wait_for()
    accent = await page.locator(".round").first.evaluate("e => getComputedStyle(e).getPropertyValue('--accent')")
    assert accent.strip() == "#4a4e8f"
