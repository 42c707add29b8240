"""The chat page as a person at it acts."""

from support.models import ZH_CHAIN

POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接。"
EN_POST = "The third interview went wrong in the last round. My mother called and I let it ring."
CRISIS = "我不想活了，今晚就想结束这一切"
FIRST = ZH_CHAIN["response"].split("\n\n")[0]
LAST = ZH_CHAIN["response"].split("\n\n")[1]


async def send(page, text):
    await page.locator("#post").fill(text)
    await page.locator("#post").press("Enter")


async def replied(page, text=LAST):
    await page.locator("article[aria-busy=false] .reply", has_text=text).last.wait_for()
