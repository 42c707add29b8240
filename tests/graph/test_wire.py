import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph import wire
from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS

from support.models import EN_CHAIN, ZH_CHAIN

plain = st.text(alphabet=st.characters(exclude_characters="<>", exclude_categories=("C", "Z")), min_size=1).map(
    lambda t: "字" + t
)


@pytest.mark.parametrize("chain", [ZH_CHAIN, EN_CHAIN])
def test_a_rendered_chain_reads_back(chain):
    assert wire.parse(wire.render(chain)) == chain


@given(st.fixed_dictionaries({s: plain for s in wire.SECTIONS}))
def test_what_is_opened_is_how_the_finished_message_begins(chain):
    for section in wire.SECTIONS:
        assert wire.render(chain).startswith(wire.opened(chain, section))


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("section", wire.SECTIONS)
@given(text=st.text())
def test_repair_is_idempotent_and_leaves_no_tag(section, locale, text):
    repaired = wire.repair(section, text, locale)
    if repaired is not None:
        assert wire.repair(section, repaired, locale) == repaired
        assert not wire.parse(repaired)
        assert len(repaired) <= wire.RESPONSE_LIMIT


@pytest.mark.parametrize("chain", [ZH_CHAIN, EN_CHAIN])
def test_repair_keeps_a_valid_section_as_it_is(chain):
    locale = "zh" if chain is ZH_CHAIN else "en"
    for section, text in chain.items():
        assert wire.repair(section, text, locale) == text


@pytest.mark.parametrize(
    ("section", "raw", "repaired"),
    [
        ("emotion", "anxiety/strong, anger | 怕</emotion>多余", "焦虑/强 愤怒/中｜怕"),
        ("emotion", "焦虑/强 焦虑/弱", "焦虑/强"),
        ("emotion", "开心得飞起｜好", None),
        ("intention", " 建议、倾诉｜想知道怎么办 ", "建议 倾诉｜想知道怎么办"),
        ("intention", "", None),
        ("cause", "一句\n两句<|im_end|>", "一句 两句"),
        ("cause", "……", None),
        ("response", "一段\n\n\n\n二段</response><emotion>", "一段\n\n二段"),
    ],
)
def test_repair(section, raw, repaired):
    assert wire.repair(section, raw, "zh") == repaired


def test_a_hidden_section_is_cut_at_a_sentence():
    long = "".join(f"第{number}句有十个字左右吧。" for number in range(100))
    cut = wire.repair("cause", long, "zh")
    assert cut is not None
    assert len(cut) <= wire.INNER_LIMIT
    assert cut.endswith("。")


@pytest.mark.parametrize("section", ["emotion", "cause", "intention", "strategy"])
def test_a_hidden_section_that_turns_in_a_loop_is_not_valid(section):
    head = ZH_CHAIN[section]
    assert wire.repair(section, head + " polite" * 8, "zh") is None
    assert wire.repair(section, head, "zh") is not None


def test_labels_of_a_section():
    assert [(e.label.key, e.intensity.key) for e in wire.emotions(ZH_CHAIN["emotion"])] == [
        ("anxiety", "strong"),
        ("hurt", "moderate"),
    ]
    assert [label.key for label in wire.intentions(EN_CHAIN["intention"])] == ["vent", "advice"]


def test_label_tables_have_no_word_twice_and_no_blank():
    for table in (EMOTIONS, INTENSITIES, INTENTIONS):
        words = [word for label in table for word in label]
        assert len(set(words)) == len(words)
        assert not any(" " in word or "/" in word for word in words)


def stream(text, sizes, inside):
    split, shown, at = wire.SectionStream(inside=inside), "", 0
    for size in sizes:
        shown += split.feed(text[at : at + size])
        at += size
    return split, shown + split.feed(text[at:]) + split.close()


@given(st.lists(st.integers(1, 9)), st.sampled_from(wire.SECTIONS))
def test_only_the_response_leaves_the_stream_however_it_is_cut(sizes, section):
    text = wire.render(ZH_CHAIN).removeprefix(wire.opened(ZH_CHAIN, section))
    split, shown = stream(text, sizes, section)
    assert shown == ZH_CHAIN["response"]
    assert split.sections == {s: ZH_CHAIN[s] for s in wire.SECTIONS[wire.SECTIONS.index(section) :]}


@given(st.text(alphabet="<>/ strategyponem字a。"), st.lists(st.integers(1, 9)))
def test_any_stream_shows_the_same_however_it_is_cut(text, sizes):
    text = "想一想</strategy><response>" + text
    whole, cut = stream(text, [], "strategy"), stream(text, sizes, "strategy")
    assert whole[1] == cut[1]
    assert not wire.parse(cut[1])


def test_what_follows_the_response_does_not_count():
    split, shown = stream("想</strategy><response>你好</response><emotion>悲伤</emotion>", [3, 9, 9], "strategy")
    assert shown == "你好"
    assert split.done


def test_a_text_without_tags_is_a_response():
    split, shown = stream("That sounds hard.", [4], None)
    assert shown == split.sections["response"] == "That sounds hard."
