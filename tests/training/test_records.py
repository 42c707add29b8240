"""The corpus's posts with composed replies: gold labels, and quotes that stand in the post."""

import re

from empathy_r1.graph import safety, wire
from empathy_r1.graph.labels import EMOTIONS, INTENTIONS, find
from empathy_r1.training.corpus import load
from empathy_r1.training.data.records import samples

RECORDS = {record.id: record for record in load()}
QUOTED = re.compile("“([^”]+)”")


def test_each_post_is_read_as_its_readers_read_it() -> None:
    for sample in samples(1, times=1):
        record = RECORDS[sample["id"].rsplit("-", 1)[0]]
        parsed = wire.parse(wire.render(sample["chain"]))
        labels = re.split(r"[｜|]", parsed["emotion"])[0].split()
        assert (
            [find(EMOTIONS, label.split("/")[0]).key for label in labels]
            == [  # type: ignore[union-attr]
                emotion.label for emotion in record.emotions[: len(labels)]
            ]
        )
        assert find(INTENTIONS, parsed["intention"].split("｜")[0].split("|")[0].split()[0]).key == (  # type: ignore[union-attr]
            record.intention.primary
        )


def test_what_the_reply_begins_with_stands_in_the_post() -> None:
    for sample in samples(2, times=2):
        said = QUOTED.search(sample["chain"]["response"])
        assert said is not None
        assert said[1] in sample["post"]


def test_posts_that_alarm_and_other_splits_are_left_out() -> None:
    found = list(samples(3, times=1))
    assert not any(safety.screen(sample["post"]).alarm for sample in found)
    assert {RECORDS[sample["id"].rsplit("-", 1)[0]].split for sample in found} == {"train"}
