import pytest

from empathy_r1.graph.safety import identity_answer


@pytest.mark.parametrize(
    "text",
    [
        "你是真人吗",
        "你是人还是机器人？",
        "你是不是AI啊",
        "我是在跟机器人聊天吗？",
        "说了这么多，你到底是真人还是程序",
        "有真人吗",
        "你是谁？",
        "对面是真人吗？",
        "你是心理咨询师吗？",
        "are you human?",
        "Are you a real person",
        "am I talking to a bot?",
        "is this a real person?",
        "r u a robot... are you an AI?",
        "Who are you?",
        "are you a licensed therapist?",
        "Is there a human there?",
    ],
)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_asked_what_it_is_it_says_the_truth(text, locale):
    answer = identity_answer(text, locale)
    assert answer is not None
    assert "AI" in answer
    assert ("不是真人" if locale == "zh" else "not a human") in answer


@pytest.mark.parametrize(
    "text",
    [
        "我觉得自己活得像个机器人。",
        "他根本不是人！",
        "你说我是不是很没用？",
        "他是真的爱我吗",
        "我不知道自己是谁",
        "我想找个真人聊聊",
        "你觉得我是坏人吗？",
        "你是第一个听我说的",
        "公司上了AI系统，我怕被裁",
        "I feel like a robot at work.",
        "Is he a real friend?",
        "are you serious?",
        "who am I?",
        "What are you supposed to do when nobody listens?",
        "my boss is a machine",
        "are you there?",
    ],
)
def test_other_questions_are_not_about_identity(text):
    assert identity_answer(text, "zh") is None
