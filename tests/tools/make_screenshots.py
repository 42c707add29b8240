"""Makes docs/images: the chat page in a real Chromium, with real replies of the model that the settings name.

    .venv/bin/python tests/tools/make_screenshots.py [start crisis plan chain chat]

`chat` and `chain` ask the embedded model, or the server that EMPATHY_R1_MODEL_URL names; `chain` reveals the hidden
stages, so run it alone. The others need no model.
"""

import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from empathy_r1.integrations.web.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.web_server import browser, live

IMAGES = Path(__file__).parents[2] / "docs" / "images"
POSTS = {
    "zh": "我妹妹下个月要高考，全家都围着她转，我在隔壁房间复习考研，连空调都不敢开大。妈妈每天给她炖汤，顺手也给我"
    "盛一碗，可是她看我的眼神总像在看一件忘了收的衣服。\n\n去年我差了四分，爸爸说没关系，之后就再也没有提过这件事。"
    "我白天在图书馆坐十个小时，晚上背着背着就开始发呆，想不起来自己为什么要考。我也只是想好好睡一觉，第二天还愿意起来。",
    "en": "My sister has her finals next month and the whole house turns around her. I study in the next room and do "
    "not dare to switch on the fan. My mother brings her soup every night and gives me a bowl as well, but she looks "
    "at me as if I were a coat that somebody forgot to put away.\n\nLast year I missed the entrance exam by four "
    "points. My father said it did not matter and has not mentioned it since. I only want to sleep well for once.",
}
CRISIS = {
    "zh": "我不想活了，今晚就想结束这一切。",
    "en": "I don't want to live any more. I have decided to end it tonight.",
}
PLACES = {"zh": ("zh-CN", "Asia/Shanghai"), "en": ("en-US", "America/New_York")}
DESK, PHONE = {"width": 1180, "height": 900}, {"width": 380, "height": 780}


PLAN = {
    "zh": ("我的安全计划", "睡不着，一遍遍想同一件事\n不回任何人的消息", "去楼下走一圈\n放那张听熟了的唱片"),
    "en": (
        "My safety plan",
        "Lying awake with the same thought\nNot answering anybody",
        "A walk around the block\nThat old record",
    ),
}


async def fill_plan(language, page):
    name, *rows = PLAN[language]
    await page.get_by_role("button", name={"zh": "更多", "en": "More"}[language]).click()
    await page.get_by_role("button", name=name).click()
    for field, text in zip(await page.locator("dialog textarea").all(), rows, strict=False):
        await field.fill(text)
    await page.locator("dialog").evaluate("box => { box.scrollTop = 0 }")


async def open_chain(page):
    await page.locator("details.chain summary").click()
    await page.locator("main").evaluate("main => { main.scrollTop = main.scrollHeight }")


async def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=folder,
            database_url=f"sqlite+aiosqlite:///{folder}/s.db",
            encryption_keys=new_key("s"),
            reveal_chain="chain" in wanted,
        )
        model = None if {"chat", "chain"} & set(wanted) else ScriptedModel(script=ZH_CHAIN)
        app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
        async with live(app) as line, browser() as chrome:

            async def picture(name, language, post, size, scheme="light", then=None):
                locale, zone = PLACES[language]
                context = await chrome.new_context(
                    locale=locale, timezone_id=zone, viewport=size, color_scheme=scheme, device_scale_factor=2
                )
                page = await context.new_page()
                page.set_default_timeout(300_000)
                await page.goto(line.url)
                await page.locator("#post").wait_for()
                if post:
                    await page.locator("#post").fill(post)
                    await page.locator("#post").press("Enter")
                    await page.locator("article[aria-busy=false] .reply").wait_for()
                    await page.locator("main").evaluate("main => { main.scrollTop = 0 }")
                if then:
                    await then(page)
                await page.wait_for_timeout(500)
                await page.screenshot(path=IMAGES / f"{name}.png")
                await context.close()

            for language in ("zh", "en"):
                if "start" in wanted:
                    await picture(
                        f"start-{language}",
                        language,
                        "",
                        DESK if language == "zh" else PHONE,
                        "light" if language == "zh" else "dark",
                    )
                if "crisis" in wanted:
                    await picture(f"crisis-{language}", language, CRISIS[language], PHONE)
                if "plan" in wanted:
                    await picture(f"plan-{language}", language, "", PHONE, then=partial(fill_plan, language))
                if "chain" in wanted and language == "zh":
                    await picture("chain-zh", language, POSTS["zh"], DESK, then=open_chain)
                if "chat" in wanted:
                    await picture(f"chat-{language}", language, POSTS[language], DESK)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["start", "crisis", "plan", "chat"]))
