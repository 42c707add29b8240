"""Texts that are no help-seeking posts: what the gate learns to keep out. All self-written.

Each line is a fragment; a text is made of several of one kind.
"""

# ruff: noqa: E501  # tables of short texts read best as rows

import random
from collections.abc import Iterator

KINDS: dict[str, tuple[str, ...]] = {
    "code": (
        "def add(a, b): return a + b", "for i in range(10): print(i)", "SELECT name FROM users WHERE id = 3;",
        "import numpy as np", "const x = await fetch(url);", "git commit -m 'fix the build'", "TypeError: undefined is not a function",
        "帮我写一个快速排序的函数", "这段代码报错了，数组越界怎么改", "how do I merge two dictionaries in python", "docker run -p 8080:80 nginx",
        "写一个正则表达式匹配邮箱", "public static void main(String[] args)", "<div class='row'></div>", "怎么在 Linux 上查看端口占用",
    ),
    "recipe": (
        "番茄切块，鸡蛋打散", "锅里放油，小火炒出香味", "加两勺生抽，一勺糖", "焯水三分钟捞出沥干", "面粉加水揉成团，醒半小时",
        "Preheat the oven to 180 degrees", "chop two onions and fry until golden", "add a pinch of salt and a cup of stock",
        "红烧肉怎么做才不腻", "how long do I boil an egg", "whisk the cream until it holds soft peaks", "冷藏两个小时后切块",
    ),
    "homework": (
        "求函数 f(x)=x^2+2x 的最小值", "三角形的面积等于底乘以高除以二", "What is the derivative of sin x", "solve 3x + 5 = 20",
        "翻译下面的句子", "列出光合作用的条件", "the capital of Australia is Canberra", "explain photosynthesis in simple terms", "水的化学式是什么",
        "一元二次方程的求根公式", "概括这篇课文的中心思想", "balance the equation H2 + O2", "写一篇八百字的议论文，题目是读书",
    ),
    "shopping": (
        "这款手机多少钱", "包邮吗，几天能到", "推荐一台两千元的笔记本", "which laptop has the best battery", "is there a discount code for shoes",
        "where can I buy cheap train tickets", "订单显示已发货", "尺码偏大还是偏小", "酒店能不能取消预订", "book a table for four at seven",
    ),
    "news": (
        "今天下午市气象台发布暴雨预警", "the central bank kept interest rates unchanged", "本届展览共有三百家企业参加", "the match ended two to one",
        "新地铁线将于下月开通", "shares rose four percent on Monday", "会议强调要加快项目建设", "the committee approved the budget",
        "明天多云转晴，最高气温二十度", "what will the weather be like in Paris tomorrow",
    ),
    "facts": (
        "长城有多长", "谁发明了电灯", "介绍一下唐朝的历史", "who wrote Hamlet", "how many planets are there", "tell me about the French Revolution",
        "什么是区块链", "解释一下相对论", "what does a heat pump do", "列出十个旅游城市", "写一首关于春天的诗", "give me five names for a cat",
    ),
    "tongues": (
        "Je voudrais réserver une chambre pour deux nuits", "Wie komme ich zum Bahnhof", "¿Dónde está la biblioteca?", "東京駅までいくらですか",
        "오늘 날씨가 좋네요", "Сколько стоит билет до Москвы", "asdkjh qwe lkjzx", "0x7f 0b1010 99 81 27", "aaaaaaaaaaaa bbbbbb", "Buongiorno, un caffè per favore",
    ),
}  # fmt: skip


def texts(count: int, seed: int) -> Iterator[str]:
    """`count` texts, the same for the same seed."""
    dice = random.Random(seed)
    for _ in range(count):
        lines = dice.choice(list(KINDS.values()))
        chosen = dice.sample(lines, dice.randint(1, min(5, len(lines))))
        yield dice.choice(("。", "\n", ". ", "，")).join(chosen)
