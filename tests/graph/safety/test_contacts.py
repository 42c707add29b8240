import pytest

from empathy_r1.graph.safety import check, help_for
from empathy_r1.graph.safety.help import places


@pytest.mark.parametrize("region", [*places(), None, "GB"])
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_only_the_numbers_of_the_persons_country_may_be_named(region, locale):
    card = help_for(region, locale)
    other = [line for place in places() for line in help_for(place, locale).lines]
    for line in {line.number: line for line in other}.values():
        text = f"你可以拨打 {line.number}。" if locale == "zh" else f"You can call {line.number}."
        known = "".join(filter(str.isdigit, line.number)) in card.numbers()
        assert bool(check(text, locale=locale, region=region)) is not known
    assert check(card.directory_url, locale=locale, region=region) == []


@pytest.mark.parametrize(
    "text",
    [
        "打 13800138000。",
        "电话 010-82951332。",
        "拨打 400-161-9995。",
        "拨打一一六一二三。",
        "打 幺三八零零幺三八零零零。",
        "号码是１３８００１３８０００。",
        "号码：1 3 8 0 0 1 3 8 0 0 0",
        "13，80，01，38，00，0",
        "加我微信 abc_123。",
        "微信号：xinli2024",
        "QQ：10086111",
        "访问 https://example.com/help。",
        "去 www.example.org 看看",
        "写信到 a.b@example.com。",
        "example点com",
        "我的 Telegram: @helper_one",
        "打 120 之外还有 12355。",
        "拨打 988。",
        "[点这里](http://x.io)",
        "https://findahelpline.com.evil.net",
        "https://findahelpline.com@evil.net/x",
        "t.me/helper",
    ],
)
def test_numbers_and_links_outside_the_table_are_withheld(text):
    assert "contact" in check(text, locale="zh", region="CN")
    assert "contact" in check(f"我在听。{text}你愿意说说吗？", locale="zh", region="CN")


@pytest.mark.parametrize(
    "text",
    [
        "Call one eight hundred two seven three eight two five five.",
        "Text 741741.",
        "Call 116 123 now.",
        "Ring 0800 1111.",
    ],
)
def test_english_numbers_outside_the_table_are_withheld(text):
    assert "contact" in check(text, locale="en", region="US")


@pytest.mark.parametrize(
    "text",
    [
        "你考了 598 分，离 600 分只差一点。",
        "2019 年到 2023 年，四年都在等。",
        "那是 2024-05-06 的事。",
        "欠了 120000 元，每个月还 3500 块。",
        "工资 12000，房租 4500。",
        "凌晨 3:30 还醒着。",
        "他打了你 3 次。",
        "我们来数：5，4，3，2，1。",
        "吸气，一、二、三、四，呼气，一、二、三、四、五、六。",
        "你 1998 年出生，今年 28 岁。",
        "写了 10000 字。",
        "身高 165，体重 98 斤。",
        "打 12356，或者 120。",
        "可以看 https://findahelpline.com 。",
        "你打了 5 个电话都没人接。",
        "7-8 月最难熬。",
        "第 985 名和第 211 名没有那么大差别。",
        "985 毕业也会迷茫。",
        "996 的日子把你掏空了。",
        "一九九八年",
        "1,200,000 元的房贷",
    ],
)
def test_other_numbers_pass(text):
    assert check(text, locale="zh", region="CN") == []
