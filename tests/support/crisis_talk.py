"""A person who talks with the crisis dialogue, and the sentences of its tables as that person reads them."""

import json
import re

from empathy_r1.graph.safety import holds, reply
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.levels import CALM, Screening

HIGH = Screening("high", ("suicide",))


class Person:
    """Talks with the crisis dialogue, turn after turn, as a host would."""

    def __init__(self, locale="zh", region="CN"):
        self.locale, self.region, self.state = locale, region, None
        self.replies = []

    def says(self, text, screening=CALM):
        answer = reply(screening, text, state=self.state, locale=self.locale, region=self.region)
        self.state = json.loads(json.dumps(answer.state))
        self.replies.append(answer)
        return answer.text

    def held(self, text, screening=CALM):
        return holds(screening, text, state=self.state, locale=self.locale)

    def asked(self, question):
        return self.state["used"].get(f"ask.{question}", 0)


def filled(locale, region, *path):
    """Sentences of a crisis table as a person reads them, cut at their first blank to be filled."""
    rows = load(f"crisis_{locale}")
    for part in path:
        rows = rows[part]
    return [re.split(r"\{", row)[0].strip() for row in rows]


def says_one_of(text, sentences):
    return any(s and s in text for s in sentences)
