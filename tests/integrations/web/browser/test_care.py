"""What the page shows and keeps for the person: crisis card, safety plan, breaks, own data, the chain."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest

from support.chat_page import CRISIS, POST, replied, send


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
