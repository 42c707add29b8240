"""The chat page in a real Chromium, over the real engine and a line that can be cut."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from empathy_r1.integrations.web.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine

from support.models import EN_CHAIN, ZH_CHAIN
from support.web_server import browser, chromium, live
from tiers import require

POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接。"
EN_POST = "The third interview went wrong in the last round. My mother called and I let it ring."
CRISIS = "我不想活了，今晚就想结束这一切"
FIRST = ZH_CHAIN["response"].split("\n\n")[0]
LAST = ZH_CHAIN["response"].split("\n\n")[1]


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


async def send(page, text):
    await page.locator("#post").fill(text)
    await page.locator("#post").press("Enter")


async def replied(page, text=LAST):
    await page.locator("article[aria-busy=false] .reply", has_text=text).last.wait_for()


async def test_the_reply_is_seen_while_it_is_written(visit, model):
    model.pause = 0.2
    page = await visit()
    await send(page, POST)
    await page.locator(".going", has_text="正在读你写的").wait_for()
    await page.locator("article[aria-busy=true] .reply").wait_for()
    await page.get_by_role("button", name="停下").wait_for()
    await replied(page)
    assert await page.locator(".reply p").all_text_contents() == ZH_CHAIN["response"].split("\n\n")
    assert "AI" in await page.locator(".truth").inner_text()
    assert "AI" in await page.locator(".note").first.inner_text()


async def test_a_reload_keeps_the_session_and_what_was_typed(visit):
    page = await visit()
    await send(page, POST)
    await replied(page)
    await page.locator("#post").fill("还没写完的话")
    await page.reload()
    await replied(page)
    assert await page.locator(".post").inner_text() == POST
    assert await page.locator("#post").input_value() == "还没写完的话"


async def test_a_reload_in_mid_turn_goes_on_with_it(visit, model):
    model.pause = 0.2
    page = await visit()
    await send(page, POST)
    await page.locator("article[aria-busy=true] .reply").wait_for()
    await page.reload()
    await replied(page)
    assert await page.locator("article").count() == 1


async def test_the_network_drops_and_nothing_is_lost_or_doubled(visit, line, model):
    model.pause = 0.2
    page = await visit()
    await send(page, POST)
    await page.locator("article[aria-busy=true] .reply").wait_for()
    line.cut()
    await page.locator(".going", has_text="正在重连").wait_for()
    await page.locator("#post").fill("断线时写的话")
    line.mend()
    await replied(page)
    assert await page.locator(".reply p").all_text_contents() == ZH_CHAIN["response"].split("\n\n")
    assert await page.locator("article").count() == 1
    assert await page.locator("#post").input_value() == "断线时写的话"


async def test_a_post_sent_without_a_network_arrives_once(visit, line, model):
    page = await visit()
    line.cut()
    await send(page, POST)
    await page.locator(".going", has_text="正在重连").wait_for()
    await page.locator(".card").wait_for()  # help lines from before, while nobody can be reached here
    line.mend()
    await replied(page)
    assert len([asked for asked in model.asked if POST in str(asked)]) == 4


async def test_stop_and_try_again(visit, model):
    model.pause = 0.2
    page = await visit()
    await send(page, POST)
    await page.locator("article[aria-busy=true] .reply").wait_for()
    await page.get_by_role("button", name="停下").click()
    await page.locator(".foot", has_text="已停下").wait_for()
    model.pause = 0
    await page.get_by_role("button", name="再试一次").click()
    await replied(page)
    assert await page.locator("article").count() == 1
    await page.reload()
    await replied(page)
    assert await page.locator("article").count() == 1


async def test_escape_stops_and_the_text_can_go_back_to_be_edited(visit, model):
    model.pause = 0.2
    page = await visit()
    await send(page, POST)
    await page.locator("article[aria-busy=true]").wait_for()
    await page.locator("#post").press("Escape")
    await page.get_by_role("button", name="放回去改改").click()
    assert await page.locator("#post").input_value() == POST
    assert await page.locator("article").count() == 0


async def test_the_keyboard_alone_is_enough(visit):
    page = await visit()
    await page.keyboard.press("Tab")
    seen = []
    for _ in range(8):
        seen.append(await page.evaluate("document.querySelector('empathy-chat').shadowRoot.activeElement?.textContent"))
        if await page.evaluate("document.querySelector('empathy-chat').shadowRoot.activeElement?.id") == "post":
            break
        await page.keyboard.press("Tab")
    assert seen[0] == "求助热线"
    await page.keyboard.type("first")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second")
    assert await page.locator("#post").input_value() == "first\nsecond"
    await page.keyboard.press("Enter")
    await page.locator("article[aria-busy=false]").wait_for()
    assert await page.locator(".post").inner_text() == "first\nsecond"


async def test_enter_that_ends_a_composition_does_not_send(visit):
    page = await visit()
    await page.locator("#post").fill("wo")
    await page.evaluate(
        """() => document.querySelector('empathy-chat').shadowRoot.getElementById('post').dispatchEvent(
            new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))"""
    )
    assert await page.locator("article").count() == 0
    assert await page.locator("#post").input_value() == "wo"


async def test_a_phone_has_no_sideways_scroll_and_enter_is_a_new_line(visit):
    page = await visit(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    await page.locator("#post").fill("一行")
    await page.locator("#post").press("Enter")
    assert await page.locator("article").count() == 0
    await page.locator("#post").fill(POST * 20 + "w" * 200)
    await page.get_by_role("button", name="发送").tap()
    await replied(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(
        "(() => { const m = document.querySelector('empathy-chat').shadowRoot.querySelector('main');"
        " return m.scrollWidth <= m.clientWidth })()"
    )
    box = await page.locator(".truth").bounding_box()
    assert box["y"] + box["height"] <= 640
    await page.get_by_role("button", name="展开全文").click()
    await page.get_by_role("button", name="收起").wait_for()


async def test_english_and_the_switch(visit, model):
    model.script = EN_CHAIN
    page = await visit("en-US")
    assert "an AI, not a person" in await page.locator(".truth").inner_text()
    await send(page, EN_POST)
    await replied(page, "let the phone ring")
    await page.get_by_role("button", name="中文").click()
    assert "不是真人" in await page.locator(".truth").inner_text()
    await page.reload()
    assert "不是真人" in await page.locator(".truth").inner_text()
    assert await page.evaluate("document.documentElement.lang") == "zh"


async def test_a_crisis_shows_numbers_to_tap_and_locks_nobody_out(visit):
    page = await visit()
    await send(page, CRISIS)
    card = page.locator(".card")
    await card.get_by_role("link", name="拨打 12356").wait_for()
    hrefs = await card.locator("a.call").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert hrefs == ["tel:12356", "tel:120", "tel:110"]
    await page.locator("article[aria-busy=false] .reply").wait_for()
    await page.reload()
    await page.locator(".card").get_by_role("link", name="拨打 12356").wait_for()
    await send(page, "我在，还想说几句")
    await page.locator("article[aria-busy=false]").nth(1).wait_for()


async def test_the_safety_plan_stays_on_the_device(visit, line):
    page = await visit()
    await page.get_by_role("button", name="更多").click()
    await page.get_by_role("button", name="我的安全计划").click()
    first = page.locator("dialog textarea").first
    await first.fill("睡不着，一直想从前")
    await page.evaluate("() => { window.print = () => {} }")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    await page.get_by_role("button", name="打印").click()
    assert "睡不着，一直想从前" in (await page.evaluate("document.querySelector('.empathy-print').textContent"))
    await page.keyboard.press("Escape")
    await page.reload()
    await page.get_by_role("button", name="更多").click()
    await page.get_by_role("button", name="我的安全计划").click()
    assert await page.locator("dialog textarea").first.input_value() == "睡不着，一直想从前"
    assert not any("plan" in url for url in asked)


async def test_export_and_erase(visit, settings):
    page = await visit()
    await send(page, POST)
    await replied(page)
    await page.get_by_role("button", name="更多").click()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="导出我的数据").click()
    saved = (await (await download.value).path()).read_text(encoding="utf-8")
    assert POST in json.dumps(json.loads(saved), ensure_ascii=False)
    await page.get_by_role("button", name="更多").click()
    await page.get_by_role("button", name="删除我的数据").click()
    await page.get_by_role("button", name="永久删除").click()
    await page.locator(".hello").wait_for()
    assert await page.locator("article").count() == 0
    assert await page.evaluate("Object.keys(localStorage).filter(k => /session|pending|draft/.test(k))") == []
    await send(page, POST)
    await replied(page)


async def test_a_long_post_is_counted(visit):
    page = await visit()
    await page.locator("#post").fill("字" * 7990)
    await page.locator("#count", has_text="还可以写 10 个字").wait_for()
    await page.locator("#post").fill("字" * 8003)
    await page.locator("#count", has_text="超出 3 个字").wait_for()
    assert await page.get_by_role("button", name="发送").is_disabled()
    await page.locator("#post").press("Enter")
    assert len(await page.locator("#post").input_value()) == 8003


async def test_no_hidden_inference_reaches_the_page(visit):
    from playwright.async_api import Error

    page = await visit()
    bodies = []

    async def keep(response):
        with suppress(Error):  # a body whose page was left is gone
            bodies.append(await response.text())

    page.on("response", keep)
    await send(page, POST)
    await replied(page)
    await page.reload()
    await replied(page)
    seen = await page.evaluate("document.querySelector('empathy-chat').shadowRoot.textContent")
    for part in ("怕爸妈失望", "我不行", "先被听见", "憋着的委屈"):
        assert part not in seen
        assert not any(part in body for body in bodies)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
async def test_accessibility_rules(visit, model, scheme, locale):
    from axe_playwright_python.async_playwright import Axe

    page = await visit(locale, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

    async def check():
        found = (await Axe().run(page, options=rules)).response["violations"]
        assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []

    await check()
    await send(page, CRISIS if locale == "zh-CN" else "I want to die and I have decided to end it tonight.")
    await page.locator("article[aria-busy=false] .reply").wait_for()
    await check()
    await page.locator(".card .link").click()
    await page.locator("dialog").wait_for()
    await check()


async def test_right_to_left_text_and_hosts(visit):
    page = await visit()
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await send(page, "שלום, קשה לי מאוד בזמן האחרון")
    await page.locator("article[aria-busy=false]").wait_for()
    assert await page.locator(".post").evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    mark = await page.locator(".mark").bounding_box()
    assert mark["x"] > 550


async def test_a_host_may_bring_the_session(visit, line):
    page = await visit()
    made = await page.evaluate(
        """async () => {
            const made = await (await fetch("v1/sessions", { method: "POST" })).json();
            document.querySelector("empathy-chat").session = made;
            return made;
        }"""
    )
    await send(page, POST)
    await replied(page)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {made['token']}"}) as client:
        held = (await client.get(f"{line.url}v1/sessions/{made['session_id']}")).json()
    assert [turn["post"] for turn in held["turns"]] == [POST]


@pytest.mark.parametrize("changed", [{"reveal_chain": True}])
async def test_the_chain_is_shown_where_the_operator_reveals_it(visit):
    page = await visit()
    await send(page, POST)
    await replied(page)
    chain = page.locator("details.chain")
    assert not await chain.locator("dl").is_visible()
    await chain.locator("summary").click()
    seen = await chain.inner_text()
    assert all(part in seen for part in ("怕爸妈失望", "我不行", "先被听见", "憋着的委屈"))


async def test_a_break_is_offered_after_hours_and_notices_stay_after_a_reload(visit, clock):
    page = await visit()
    for _ in range(9):
        await send(page, POST)
        await page.locator("article").last.locator(".foot button").first.wait_for()
        clock.ahead += timedelta(minutes=25)
    offered = page.locator("article .note", has_text="两个小时")
    await offered.first.get_by_role("button", name="歇一会儿").click()
    await page.locator("dialog .breath").wait_for()
    await page.keyboard.press("Escape")
    said = await offered.first.inner_text()
    await page.reload()
    assert await page.locator("article .note", has_text="两个小时").first.inner_text() == said


@pytest.mark.parametrize("changed", [{"double_texting": "coalesce", "coalesce_seconds": 2.0}])
async def test_posts_sent_in_a_row_are_answered_together(visit):
    page = await visit()
    await send(page, POST)
    await send(page, "我还想说，我其实很怕接电话。")
    await replied(page)
    await page.locator("article", has_text=POST).get_by_text("请看下面").wait_for()
    assert await page.locator(".reply").count() == 1
    await page.reload()
    await replied(page)
    await page.locator("article", has_text=POST).get_by_text("请看下面").wait_for()
