"""The page for everybody: keyboard, phone, both languages, accessibility rules, right-to-left text."""

import pytest

from support.chat_page import CRISIS, EN_POST, POST, replied, send
from support.models import EN_CHAIN


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


async def test_a_long_post_is_counted(visit):
    page = await visit()
    await page.locator("#post").fill("字" * 7990)
    await page.locator("#count", has_text="还可以写 10 个字").wait_for()
    await page.locator("#post").fill("字" * 8003)
    await page.locator("#count", has_text="超出 3 个字").wait_for()
    assert await page.get_by_role("button", name="发送").is_disabled()
    await page.locator("#post").press("Enter")
    assert len(await page.locator("#post").input_value()) == 8003


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
