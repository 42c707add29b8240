"""The closed sets of emotion and intention labels, in Chinese and English.

One table serves prompts, the wire format, training data and evaluation. The emotion set follows the
appraisal view of the paper's L1 (arXiv 2509.14851): felt states a person would name, never a diagnosis.
Each label is one word without spaces, so that a list of labels splits on blanks in both languages.
"""

from typing import Literal, NamedTuple

Locale = Literal["zh", "en"]


class Label(NamedTuple):
    """One label in both languages; `key` is the English word and is what code compares."""

    key: str
    zh: str

    def text(self, locale: Locale) -> str:
        """The word that prompts and chains in `locale` use."""
        return self.zh if locale == "zh" else self.key


EMOTIONS: tuple[Label, ...] = (
    Label("anxiety", "焦虑"),
    Label("fear", "恐惧"),
    Label("overwhelm", "压力"),
    Label("sadness", "悲伤"),
    Label("despondency", "低落"),
    Label("hopelessness", "绝望"),
    Label("helplessness", "无助"),
    Label("loneliness", "孤独"),
    Label("anger", "愤怒"),
    Label("irritation", "烦躁"),
    Label("hurt", "委屈"),
    Label("disappointment", "失望"),
    Label("guilt", "内疚"),
    Label("shame", "羞耻"),
    Label("self-doubt", "自卑"),
    Label("regret", "后悔"),
    Label("confusion", "迷茫"),
    Label("ambivalence", "矛盾"),
    Label("exhaustion", "疲惫"),
    Label("numbness", "麻木"),
    Label("jealousy", "嫉妒"),
    Label("disgust", "厌恶"),
    Label("longing", "思念"),
    Label("shock", "震惊"),
    Label("hope", "希望"),
    Label("relief", "释然"),
    Label("gratitude", "感激"),
    Label("joy", "喜悦"),
)

INTENSITIES: tuple[Label, ...] = (Label("mild", "弱"), Label("moderate", "中"), Label("strong", "强"))

INTENTIONS: tuple[Label, ...] = (
    Label("vent", "倾诉"),
    Label("understanding", "理解"),
    Label("comfort", "安慰"),
    Label("reassurance", "确认"),
    Label("company", "陪伴"),
    Label("clarity", "理清"),
    Label("decision", "决定"),
    Label("advice", "建议"),
    Label("information", "信息"),
)

_INDEX = {
    table: {word: label for label in table for word in (label.key, label.zh)}
    for table in (EMOTIONS, INTENSITIES, INTENTIONS)
}


def find(table: tuple[Label, ...], word: str) -> Label | None:
    """The label of `table` that `word` names in either language, or None."""
    return _INDEX[table].get(word.strip().lower())
