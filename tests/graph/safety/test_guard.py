import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.graph.safety import Guard, check, help_for, identity_answer
from empathy_r1.graph.safety._forbidden import fixed, instead, rules
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.help import places

HERE = Path(__file__).parent


def lines(name):
    return [json.loads(line) for line in (HERE / "replies" / name).read_text("utf-8").splitlines()]


BENIGN = lines("benign.jsonl")
HARMFUL = lines("harmful.jsonl")
WORDED = {rule.name for rule in rules()}


def shown(text, locale="zh", region="CN", sizes=(), **kwargs):
    guard = Guard(locale=locale, region=region, **kwargs)
    out, at = "", 0
    for size in sizes:
        out += guard.feed(text[at : at + size])
        at += size
    out += guard.feed(text[at:]) + guard.close()
    assert out == guard.text
    return guard


@pytest.mark.parametrize("reply", BENIGN, ids=lambda r: r["text"][:24])
def test_a_good_reply_passes_untouched(reply):
    guard = shown(reply["text"], reply["locale"], reply.get("region", "CN" if reply["locale"] == "zh" else "US"))
    assert dict(guard.withheld) == {}
    assert guard.text == reply["text"]


@pytest.mark.parametrize("reply", HARMFUL, ids=lambda r: r["text"][:24])
def test_forbidden_content_never_leaves(reply):
    guard = shown(reply["text"], reply["locale"], "CN" if reply["locale"] == "zh" else "US")
    assert reply["rule"] in guard.withheld
    assert reply.get("mark", reply["text"]) not in guard.text
    assert check(guard.text, locale=reply["locale"], region="CN" if reply["locale"] == "zh" else "US") == []


@pytest.mark.parametrize("reply", HARMFUL, ids=lambda r: r["text"][:24])
def test_a_forbidden_sentence_leaves_its_good_neighbours(reply):
    good = ("听起来这段日子很难熬。", "\n你愿意多说一点吗？")
    if reply["locale"] == "en":
        good = ("This has been a hard stretch for you. ", " Would you like to say more?")
    guard = shown(good[0] + reply["text"] + good[1], reply["locale"], "CN" if reply["locale"] == "zh" else "US")
    assert reply.get("mark", reply["text"]) not in guard.text
    assert guard.text.startswith(good[0].strip())
    assert fixed(reply["locale"]) not in guard.text


DISGUISES = {
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "zero width": lambda t: "\u200b".join(t),
    "bold": lambda t: f"**{t[: len(t) // 2]}**{t[len(t) // 2 :]}",
    "upper case": str.upper,
    "html entities": lambda t: t.replace("a", "&#97;").replace("你", "&#20320;"),
    "bidi marks": lambda t: "\u202a".join(t),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("rule", ["diagnosis", "medication", "encouragement", "exclusivity", "human_claim"])
def test_a_disguise_does_not_help(rule, disguise):
    for reply in HARMFUL:
        if reply["rule"] == rule and not (disguise == "full width" and "\n" in reply["text"]):
            guard = shown(DISGUISES[disguise](reply["text"]), reply["locale"], None)
            assert guard.withheld, (reply["text"], disguise)


@pytest.mark.parametrize(
    "text",
    [
        "你 这 是 双 相 。",
        "妳這是雙相情感障礙。",
        "你\n这\n是\n双\n相\n",
        "你这是《双相》。",
        "你这是<b>双相</b>。",
        "你这是`双相`。",
    ],
)
def test_chinese_disguises(text):
    assert "diagnosis" in shown(text).withheld


# --- the stream ---

PIECES = st.lists(
    st.one_of(
        st.sampled_from([r["text"] for r in (*BENIGN, *HARMFUL)]),
        st.sampled_from(
            ["。", "！", "\n\n", ". ", "…", "”", '"', "<", "</", "response>", "1", "38", "0000", " ", "，", "好"]
        ),
        st.text(max_size=30),
    ),
    max_size=12,
).map("".join)


@given(PIECES, st.lists(st.integers(1, 40), max_size=60), st.sampled_from(["zh", "en"]))
@settings(max_examples=80, deadline=None)
def test_what_is_shown_does_not_depend_on_the_chunks(text, sizes, locale):
    whole = shown(text, locale)
    cut = shown(text, locale, sizes=sizes)
    assert cut.text == whole.text
    assert cut.withheld == whole.withheld


@given(PIECES, st.sampled_from(["zh", "en"]), st.sampled_from([None, "CN", "US", "GB"]))
@settings(max_examples=80, deadline=None)
def test_what_is_shown_is_clean(text, locale, region):
    guard = shown(text, locale, region)
    assert check(guard.text, locale=locale, region=region) == []
    for reply in HARMFUL:
        if reply["rule"] in WORDED:
            free = re.compile(r"(?<![^\W\u3400-\u9fff])" + re.escape(reply.get("mark", reply["text"])))
            assert not free.search(guard.text)


@given(st.text(), st.lists(st.text(), max_size=4), st.text(), st.text(max_size=6))
@settings(max_examples=80, deadline=None)
def test_no_string_raises(text, sealed, post, region):
    for locale in ("zh", "en"):
        guard = Guard(locale=locale, region=region, sealed=sealed, post=post)
        guard.text.encode("utf-8")
        (guard.feed(text) + guard.close()).encode("utf-8")
        identity_answer(text, locale)


def test_the_first_sentence_is_shown_before_the_second_is_written():
    guard = Guard(locale="zh")
    assert guard.feed("我在听。慢") == "我在听。"
    assert guard.feed("慢说") == ""
    assert guard.close() == "慢慢说"


def test_what_is_withheld_is_replaced_once_and_counted():
    guard = shown("你这是双相。你得了抑郁症。你有焦虑症。你愿意说说吗？")
    assert guard.withheld == {"diagnosis": 3}
    assert guard.text.count(instead("zh")["diagnosis"]) == 1
    assert guard.text.endswith("你愿意说说吗？")


def test_at_most_two_table_sentences_stand_in_a_reply():
    text = "".join(r["text"] + "\n" for r in HARMFUL if r["locale"] == "zh" and r["rule"] not in ("template", "loop"))
    guard = shown(text + "你愿意说说吗？")
    assert sum(line in guard.text for line in instead("zh").values() if line and "{" not in line) <= 2
    assert guard.text.endswith("你愿意说说吗？")


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_reply_of_which_nothing_is_left_becomes_a_fixed_one(locale):
    text = "".join(r["text"] + "\n" for r in HARMFUL if r["locale"] == locale)
    assert shown(text, locale, None).text.endswith(fixed(locale))


def test_nothing_said_stays_nothing():
    assert shown("").text == ""
    assert shown(" \n ").text.strip() == ""


@pytest.mark.parametrize("token", ["<|im_end|>", "<|im_start|>user", "\nUser: hi", "\n用户：你好", "[/INST]", "</s>"])
def test_a_template_token_ends_the_stream(token):
    guard = shown(f"我在听。{token}\n你刚才说什么都可以。后面还有很多。")
    assert guard.text.strip() == "我在听。"
    assert "template" in guard.withheld


def test_a_loop_ends_the_stream():
    guard = shown("我在这里陪着你。" * 50)
    assert guard.text == "我在这里陪着你。" * 2
    assert guard.withheld == {"loop": 1}
    assert "loop" in shown("好的" * 400).withheld
    assert "loop" in shown("。" * 900 + "a").withheld or shown("。" * 900).text.count("。") < 300


def test_long_pieces_of_the_hidden_chain_never_show():
    cause = "把一次次面试被拒绝当成自己不行的证据，又怕告诉爸妈以后看见他们失望的样子"
    assert "chain_leak" in shown(f"其实是{cause}。", sealed=[cause]).withheld
    assert "chain_leak" in shown("我的判断：\n" + cause[:12] + "\n" + cause[12:30], sealed=[cause]).withheld
    assert not shown(f"你说{cause}，这很沉。", sealed=[cause], post=f"我{cause}。").withheld
    assert not shown("面试被拒绝很伤人，你也怕他们失望。", sealed=[cause]).withheld
    sealed = ["treats every single rejection as one more proof that he is broken as a person, beyond any repair"]
    assert "chain_leak" in shown(sealed[0] + ".", "en", "US", sealed=sealed).withheld


def test_a_diagnosis_that_the_person_named_may_be_named():
    said = "你有双相，又要撑着上班，真的不容易。"
    assert "diagnosis" in shown(said).withheld
    assert not shown(said, post="我确诊双相两年了，最近又开始失眠。").withheld


# --- language ---


def test_the_wrong_language_is_withheld():
    assert "language" in shown("I hear how tired you are.", "zh").withheld
    assert "language" in shown("听起来你真的很累了。", "en").withheld
    assert "language" in shown("Я тебя слышу и понимаю.", "en").withheld
    assert "language" in shown("つらい気持ちを聞かせてくれてありがとう。", "zh").withheld
    assert "language" in shown("ting qi lai ni zhen de hen lei le", "zh").withheld


def test_a_few_foreign_words_pass():
    assert not shown("你说那首《Fix You》陪了你整晚。", "zh").withheld
    assert not shown("PPT 改了七遍，deadline 还在往前挪，KPI 压着你。", "zh").withheld
    assert not shown("OK，我在听。", "zh").withheld
    assert not shown('Your grandmother said "慢慢来", and it stayed with you.', "en").withheld


# --- what the product itself says ---


def own_sentences(locale, region):
    card = help_for(region, locale)
    yield card.text
    guard_table, words = load(f"guard_{locale}"), load("disclosures")
    yield guard_table["fixed"]
    yield words["identity"][locale]
    for line in instead(locale).values():
        yield line.replace("{line}", card.lines[0].number if card.lines else card.directory_url)
    for row in words["rule"]:
        yield row[locale]


@pytest.mark.parametrize("region", [*places(), None])
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_tables_pass_their_own_guard(locale, region):
    for text in own_sentences(locale, region):
        assert check(text, locale=locale, region=region) == [], text
