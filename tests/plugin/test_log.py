"""A turn's events on their way to listeners."""

import pytest
from sqlalchemy.exc import InvalidRequestError

from empathy_r1.plugin._log import News


class ClosingJournal:
    """A journal whose database closes while a listener reads."""

    def __init__(self, news, stops):
        self.news, self.stops = news, stops

    async def events(self, turn_id, after):
        if self.stops:
            self.news.close()
        raise InvalidRequestError("the database is closed")


async def test_a_listener_of_a_process_that_stops_ends_without_an_error():
    news = News()
    assert [event async for event in news.follow(ClosingJournal(news, True), "t", 0)] == []


async def test_a_listener_hears_of_a_database_that_does_not_answer():
    news = News()
    with pytest.raises(InvalidRequestError):
        _ = [event async for event in news.follow(ClosingJournal(news, False), "t", 0)]
