"""What every record of the corpus is about: topics, sub-topics and a brief for each id.

The plan is computed, not stored, and the same for everybody: record number n of a language has a fixed topic and
sub-topic, so that any prefix of the corpus is spread evenly, and a brief that asks for a voice, an order of telling, a
length and something left unsaid. Topic and sub-topic bind (the validator checks them); the rest of a brief is a
suggestion, because a retired farmer does not write about a thesis.

    python -m empathy_r1.training.corpus.plan zh 1 20
"""

import sys
from hashlib import sha256
from typing import NamedTuple

from empathy_r1.graph.labels import Locale
from empathy_r1.training.corpus.schema import Split


class Topic(NamedTuple):
    """A main topic with its five sub-topics."""

    key: str
    zh: str
    subtopics: tuple[str, str, str, str, str]


TOPICS: tuple[Topic, ...] = (
    Topic("exams", "考试与升学", ("retaking", "graduate_entrance", "ranking", "choice_of_major", "dropping_out")),
    Topic("campus", "校园生活", ("dormitory", "left_out", "supervisor", "humiliated_by_teacher", "stalled_thesis")),
    Topic("bullying", "欺凌", ("at_school", "online", "bystander", "long_ago", "at_work")),
    Topic("work", "工作压力", ("overtime", "superior", "shifts", "appraisal", "abusive_customers")),
    Topic(
        "job_loss", "失业与求职", ("laid_off", "too_old_to_hire", "first_job", "hidden_from_family", "closed_business")
    ),
    Topic(
        "labour", "打工与奔波", ("delivery", "factory", "unpaid_wages", "children_left_behind", "not_at_home_in_city")
    ),
    Topic("parents", "与父母", ("control", "favoured_sibling", "parents_quarrel", "silent_father", "indebted")),
    Topic("elder_care", "照护老人", ("dementia", "far_from_sick_parent", "only_child", "siblings_dispute", "worn_out")),
    Topic("parenting", "养育孩子", ("newborn", "teenager", "homework", "special_needs", "empty_nest")),
    Topic("pregnancy", "孕产", ("after_birth", "miscarriage", "infertility", "confinement", "unplanned")),
    Topic("marriage", "婚姻", ("silence", "housework", "in_laws", "money", "infidelity")),
    Topic("divorce", "离婚", ("deciding", "custody", "afterwards", "telling_family", "stepfamily")),
    Topic("love", "恋爱", ("breakup", "long_distance", "unrequited", "undefined", "parents_object")),
    Topic("single", "单身与催婚", ("urged_to_marry", "matchmaking", "bride_price", "by_choice", "late_first_love")),
    Topic("friendship", "友情", ("drifting_apart", "betrayed", "envy", "always_giving", "moved_away")),
    Topic("loneliness", "孤独", ("new_city", "holidays", "living_alone_old", "only_online", "in_a_crowd")),
    Topic("grief", "丧亲", ("parent", "grandparent", "partner_or_child", "missed_farewell", "anniversary")),
    Topic("pets", "宠物", ("death", "euthanasia", "lost", "rehoming", "belittled_grief")),
    Topic("illness", "疾病", ("waiting_for_results", "chronic", "cancer_in_family", "disability", "partner_ill")),
    Topic("body", "身体与外貌", ("weight", "controlled_eating", "skin_and_hair", "wish_for_surgery", "ageing")),
    Topic("money", "钱与债", ("online_loans", "gambling_in_family", "scammed", "lent_to_friend", "mortgage")),
    Topic("self_worth", "自我价值", ("impostor", "perfectionism", "comparison", "people_pleasing", "failure")),
    Topic("mood", "情绪困扰", ("low_without_reason", "panic", "sleepless", "outbursts", "brooding")),
    Topic("abuse", "暴力与伤害", ("domestic", "beaten_as_child", "harassment", "coercive_control", "assault_in_past")),
    Topic("identity", "身份与认同", ("coming_out", "gender", "faith", "adopted", "minority")),
    Topic("migration", "异国他乡", ("student_abroad", "accent", "visa", "returned", "family_across_the_sea")),
    Topic("self_harm", "自伤与轻生", ("urge", "history", "wish_not_to_be", "plan", "friend_at_risk")),
    Topic("reality", "现实感", ("watched", "voices", "intrusive_thoughts", "unreal", "relative")),
    Topic("habits", "沉迷与习惯", ("games", "short_videos", "alcohol", "shopping", "pornography")),
    Topic(
        "later_life",
        "退休与晚年",
        ("retired", "widowed_and_dating", "fear_of_death", "raising_grandchild", "looking_back"),
    ),
)

HELD_OUT = frozenset({"pets", "migration", "later_life"})
"""Topics of the split `test_topics`: never trained on."""

SIZE: dict[Locale, int] = {"zh": 1000, "en": 400}
"""Records that the plan has a brief for."""

_START: dict[Locale, int] = {"zh": 0, "en": 2}
"""Sub-topic that a language begins with, so that the two do not walk in step."""

VOICES = (
    "dry humour", "flat and factual", "angry", "rambling, no full stops", "careful and polite", "teasing oneself",
    "like a letter", "late at night, short lines", "telling it as somebody else's story", "apologising all the time",
)  # fmt: skip
ORDERS = (
    "begins in the middle of a scene", "from an object or a place", "from the latest small event back to the old one",
    "beside the point, the matter comes at the end", "with the question first", "in order of time",
    "contradicts itself half way", "from what somebody else said", "from the body",
)  # fmt: skip
LENGTHS = ("short", "middle", "middle", "long")
UNSAID = (
    "whom one is angry with", "how long it has been so", "that one misses somebody", "what one is ashamed of",
    "what one has already decided", "that one is afraid", "that one wants to be asked", "nothing much",
)  # fmt: skip


class Brief(NamedTuple):
    """What the writer of a record is asked for."""

    id: str
    topic: str
    subtopic: str
    voice: str
    order: str
    length: str
    unsaid: str


def brief(record_id: str) -> Brief:
    """The brief of `record_id`, e.g. "zh-0007".

    Raises:
        ValueError: the plan has no such record.
    """
    locale, _, number = record_id.partition("-")
    if locale not in SIZE or not number.isdigit() or not 1 <= int(number) <= SIZE[locale]:
        raise ValueError(
            f"The plan has no record {record_id!r}: expected zh-0001 to zh-{SIZE['zh']} "
            f"or en-0001 to en-{SIZE['en']:04}."
        )
    turn, place = divmod(int(number) - 1, len(TOPICS))
    topic = TOPICS[place]
    return Brief(
        record_id,
        topic.key,
        topic.subtopics[(turn + _START[locale]) % len(topic.subtopics)],
        *(options[_draw(record_id, salt) % len(options)] for salt, options in _AXES.items()),
    )  # fmt: skip


def split_of(record_id: str, topic: str) -> Split:
    """The split of a record: held-out topics apart, else 80:10:10 by a hash of the id."""
    if topic in HELD_OUT:
        return "test_topics"
    part = _draw(record_id, "split") % 10
    return "validation" if part == 0 else "test" if part == 1 else "train"


_AXES: dict[str, tuple[str, ...]] = {"voice": VOICES, "order": ORDERS, "length": LENGTHS, "unsaid": UNSAID}


def _draw(record_id: str, salt: str) -> int:
    return int.from_bytes(sha256(f"{salt}:{record_id}".encode()).digest()[:4], "big")


if __name__ == "__main__":
    language, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for n in range(first, last + 1):
        print(" | ".join(brief(f"{language}-{n:04}")))  # noqa: T201
