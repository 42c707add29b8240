"""What a short answer to a safety question means."""

import pytest

from empathy_r1.graph.safety._answers import read_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("有", "yes"),
        ("有的", "yes"),
        ("嗯，很难推开", "yes"),
        ("想过", "yes"),
        ("偶尔会闪过", "yes"),
        ("是的，想过很多次", "yes"),
        ("就在抽屉里", "yes"),
        ("没有", "no"),
        ("没有的。", "no"),
        ("不会", "no"),
        ("没有这种念头", "no"),
        ("我没想过自杀", "no"),
        ("不会自杀的", "no"),
        ("不想说", "refused"),
        ("别问了", "refused"),
        ("我不想回答这个", "refused"),
        ("关你什么事", "refused"),
        ("问这个干嘛", "refused"),
        ("我到朋友家了", "safer"),
        ("我妈来了", "safer"),
        ("我把药扔掉了", "safer"),
        ("刚打了12356", "safer"),
        ("好一点了", "safer"),
        ("室友在我旁边", "safer"),
        ("没有人在我身边", "unsure"),
        ("没有意思", "unsure"),
        ("不想活了", "unsure"),
        ("没人在乎", "unsure"),
        ("不知道", "unsure"),
        ("是不是没救了", "unsure"),
        ("yes", "yes"),
        ("Yeah, every day", "yes"),
        ("I do.", "yes"),
        ("they are hard to push away", "yes"),
        ("no", "no"),
        ("No, not really", "no"),
        ("I'm not suicidal", "no"),
        ("I don't have a plan", "no"),
        ("I don't want to talk about it", "refused"),
        ("stop asking", "refused"),
        ("none of your business", "refused"),
        ("I'm at my sister's, I'm with my sister now", "safer"),
        ("my mom is here", "safer"),
        ("I put the pills away", "safer"),
        ("feeling a bit calmer", "safer"),
        ("nobody is here", "unsure"),
        ("no one cares", "unsure"),
        ("I am so tired", "unsure"),
        ("I don't know", "unsure"),
        ("", "unsure"),
    ],
)
def test_short_answers_are_understood_in_both_languages(text, answer):
    assert read_answer(text, "zh") == answer
    assert read_answer(text, "en") == answer
