"""Notices and help cards: shown when they are due, kept with the turn, the same on both databases."""

from support.posts import CRISIS, POST


async def ids(engine, session_id, post):
    """Ids of the notices that came with a post, as events and as kept."""
    shown = [
        row["id"]
        async for event in engine.stream(session_id, post)
        if event.type == "safety"
        for row in event.disclosures
    ]
    kept = (await engine.session(session_id)).turns[-1].disclosures
    assert [row["id"] for row in kept] == shown
    return shown


async def test_the_start_notice_comes_before_the_first_post_and_once(engine):
    session = await engine.create_session(locale="zh", region="US")
    assert [row["id"] for row in session.disclosures] == ["start"]
    assert "AI" in session.disclosures[0]["text"]
    assert await ids(engine, session.session_id, POST) == []


async def test_a_session_without_a_language_opens_in_both(engine):
    assert [row["id"] for row in (await engine.create_session()).disclosures] == ["start", "start"]


async def test_a_hosts_user_has_the_start_notice_with_the_first_post(engine):
    session_id = await engine.session_for("u", locale="zh")
    assert await ids(engine, session_id, POST) == ["start"]
    assert await ids(engine, session_id, POST) == []


async def test_use_for_hours_brings_reminders_and_breaks(engine, clock):
    session = await engine.create_session(locale="zh", region="US")
    seen = []
    for _ in range(14):
        clock.pass_by(minutes=15)
        seen += [(clock.now.hour - 9, row) for row in await ids(engine, session.session_id, POST)]
    assert seen == [(3, "every_3h"), (3, "break_3h")]


async def test_china_offers_a_break_after_two_hours(engine, clock):
    session = await engine.create_session(locale="zh", region="CN")
    for _ in range(8):
        clock.pass_by(minutes=15)
        seen = await ids(engine, session.session_id, POST)
    assert seen == ["break_2h_cn"]


async def test_a_week_away_brings_the_notice_again(engine, clock):
    session = await engine.create_session(locale="zh")
    await engine.turn(session.session_id, POST)
    clock.pass_by(days=7)
    assert await ids(engine, session.session_id, POST) == ["absence_7d"]


async def test_minors_are_told_at_the_start_and_in_breaks(engine, clock):
    session = await engine.create_session(locale="zh", region="US", minor=True)
    assert [row["id"] for row in session.disclosures] == ["start", "minor_start"]
    for _ in range(12):
        clock.pass_by(minutes=15)
        seen = await ids(engine, session.session_id, POST)
    assert "minor_break_3h" in seen


async def test_who_asks_is_told_the_truth_once(engine):
    session = await engine.create_session(locale="zh")
    done = await engine.turn(session.session_id, "你到底是真人还是机器？我有点怕。")
    assert "不是真人" in done.reply
    assert (await engine.session(session.session_id)).turns[-1].disclosures == []


async def test_a_break_is_not_offered_in_a_crisis(engine, clock):
    session = await engine.create_session(locale="zh", region="CN")
    for _ in range(7):
        clock.pass_by(minutes=15)
        await engine.turn(session.session_id, POST)
    clock.pass_by(minutes=15)
    assert await ids(engine, session.session_id, CRISIS) == []


async def test_the_next_session_of_a_user_knows_the_last(engine, clock):
    await engine.create_session(locale="zh", external_user="u")
    clock.pass_by(minutes=1)
    again = await engine.create_session(locale="zh", external_user="u")
    assert [row["id"] for row in again.disclosures] == ["start"]


async def test_the_help_card_stays_with_the_turn(engine):
    session = await engine.create_session(region="CN")
    await engine.turn(session.session_id, CRISIS)
    await engine.turn(session.session_id, "不想说")
    turns = (await engine.session(session.session_id)).turns
    assert [any(line["number"] == "12356" for line in turn.card["lines"]) for turn in turns] == [True, True]
    plain = await engine.create_session()
    await engine.turn(plain.session_id, POST)
    assert (await engine.session(plain.session_id)).turns[0].card is None
