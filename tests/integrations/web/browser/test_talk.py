"""Posts and replies on the page: streaming, reloads, a line that drops, stop and retry."""

import httpx
import pytest

from support.chat_page import POST, replied, send
from support.models import ZH_CHAIN


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
