"""The session API against a plain model of it: whatever is sent in whatever order, both say the same."""

import asyncio
import json
from collections import Counter

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.keys import key
from support.models import ZH_CHAIN, ScriptedModel
from support.served import served

REPLY = ZH_CHAIN["response"]
SLOW = "慢慢"
TEXTS = st.sampled_from(["昨晚又没睡好", "妈妈打电话来我没敢接"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
RARELY = st.sampled_from([False, False, False, True])
USERS = st.sampled_from(["ann", "bob"])


class SlowModel(ScriptedModel):
    """Takes its time over posts that say so, until they are cancelled."""

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        if SLOW in messages[-2].text:
            await asyncio.sleep(60)
        async for chunk in super()._astream(messages, stop, run_manager, **kwargs):
            yield chunk


class Talk:
    """What the model knows of one session."""

    def __init__(self, session_id, token, user):
        self.path, self.id, self.user = f"/v1/sessions/{session_id}", session_id, user
        self.headers = {"Authorization": f"Bearer {token}"}
        self.turns = []
        self.keys = {}
        self.consents = []
        self.erased = False

    @property
    def open(self):
        return next((turn for turn in self.turns if turn["status"] == "open"), None)


class Sessions(RuleBasedStateMachine):
    """Rules over one running server, `client`, with an API key in `clinic`."""

    client: httpx.Client
    clinic: dict
    talks = Bundle("talks")
    seen = Counter()  # noqa: RUF012  # of all runs

    def __init__(self):
        super().__init__()
        self.mine = []
        self.run = Sessions.count = getattr(Sessions, "count", 0) + 1

    @initialize(target=talks)
    def begin(self):
        return self.create("ann")

    @rule(target=talks, user=st.none() | USERS)
    def another(self, user):
        return self.create(user)

    def create(self, user):
        named = user and f"{user}-{self.run}"
        made = self.client.post("/v1/sessions", json={"user": named}, headers=self.clinic)
        assert made.status_code == 201
        talk = Talk(made.json()["session_id"], made.json()["token"], named)
        self.mine.append(talk)
        return talk

    @rule(talk=talks, which=st.integers(0, 9), text=st.none() | TEXTS)
    def post_again(self, talk, which, text):
        """A key that is known, with its own text or another."""
        if talk.turns:
            turn = talk.turns[which % len(talk.turns)]
            name = next(name for name, known in talk.keys.items() if known is turn)
            self.post(talk, text or turn["post"], name)

    @rule(talk=talks, text=TEXTS, name=KEYS)
    def post_some(self, talk, text, name):
        self.post(talk, text, name)

    def post(self, talk, text, name):
        """A post under a key: a new turn, the same turn again, or a refusal."""
        known = talk.keys.get(name)
        if talk.open and known is None:
            return  # it would wait for the open turn
        if known and known["status"] == "open" and known["post"] == text:
            return
        sent = self.client.post(
            f"{talk.path}/turns", json={"text": text}, headers=talk.headers | {"Idempotency-Key": name}
        )
        self.seen[f"post {sent.status_code}"] += 1
        if talk.erased:
            assert (sent.status_code, sent.json()["code"]) == (404, "session_not_found")
        elif known and known["post"] != text:
            assert (sent.status_code, sent.json()["code"]) == (422, "idempotency_conflict")
        elif known and known["status"] == "cancelled":
            assert (sent.status_code, sent.json()["code"]) == (409, "turn_cancelled")
        else:
            assert (sent.status_code, sent.json()["reply"]) == (200, REPLY), sent.text
            if known:
                assert sent.json()["turn_id"] == known["turn_id"]
            else:
                self._add(talk, name, sent.json()["turn_id"], text, "committed")

    @rule(talk=talks)
    def post_slowly_and_leave(self, talk):
        if talk.erased or talk.open:
            return
        name = f"slow{len(talk.turns)}"
        text = f"我{SLOW}说"
        headers = talk.headers | {"Idempotency-Key": name, "Accept": "text/event-stream"}
        with self.client.stream("POST", f"{talk.path}/turns", json={"text": text}, headers=headers) as stream:
            line = next(line for line in stream.iter_lines() if line.startswith("data:"))
        self._add(talk, name, json.loads(line[5:])["turn_id"], text, "open")

    @rule(talk=talks, which=st.integers(0, 9))
    def cancel(self, talk, which):
        turn = talk.open or (talk.turns[which % len(talk.turns)] if talk.turns else None)
        if turn is None:
            return
        done = self.client.post(f"{talk.path}/turns/{turn['turn_id']}/cancel", headers=talk.headers)
        if talk.erased:
            assert done.status_code == 404
            return
        self.seen[f"cancel {turn['status']}"] += 1
        assert done.json() == {"cancelled": turn["status"] == "open"}
        if turn["status"] == "open":
            turn["status"] = "cancelled"

    @rule(talk=talks, which=st.integers(0, 9), after=st.integers(0, 9))
    def listen_again(self, talk, which, after):
        if not talk.turns:
            return
        turn = talk.turns[which % len(talk.turns)]
        if turn["status"] == "open":
            return
        headers = talk.headers | {"Last-Event-ID": str(after)}
        heard = self.client.get(f"{talk.path}/turns/{turn['turn_id']}/events", headers=headers)
        if talk.erased:
            assert heard.status_code == 404
            return
        events = [json.loads(line[5:]) for line in heard.text.splitlines() if line.startswith("data:")]
        if events:
            assert events[-1]["type"] == turn["status"]
            assert [event["seq"] for event in events] == list(range(after + 1, after + 1 + len(events)))
        else:
            assert after >= turn.get("events", 1)
        if after == 0:
            turn["events"] = len(events)

    @rule(talk=talks, given=st.booleans())
    def decide(self, talk, given):
        body = {"purpose": "training", "version": "1", "given": given}
        done = self.client.post(f"{talk.path}/consents", json=body, headers=talk.headers)
        assert done.status_code == (404 if talk.erased else 201)
        if not talk.erased:
            for other in self._same_person(talk):
                other.consents.append(given)

    @rule(talk=talks)
    def export(self, talk):
        held = self.client.get(f"{talk.path}/export", headers=talk.headers)
        if talk.erased:
            assert held.status_code == 404
            return
        self._same(held.json(), talk)

    @rule(user=USERS)
    def export_user(self, user):
        body = {"user": f"{user}-{self.run}"}
        held = self.client.post("/v1/users/export", json=body, headers=self.clinic).json()["sessions"]
        mine = {talk.id: talk for talk in self.mine if talk.user == body["user"] and not talk.erased}
        assert {one["session"]["session_id"] for one in held} == set(mine)
        for one in held:
            self._same(one, mine[one["session"]["session_id"]])

    @rule(talk=talks, sure=RARELY)
    def erase(self, talk, sure):
        if not (sure or talk.erased):
            return
        self._erase([] if talk.erased else [talk], self.client.delete(talk.path, headers=talk.headers), talk.erased)

    @rule(user=USERS, sure=RARELY)
    def erase_user(self, user, sure):
        if not sure:
            return
        body = {"user": f"{user}-{self.run}"}
        talks = [talk for talk in self.mine if talk.user == body["user"] and not talk.erased]
        self._erase(talks, self.client.post("/v1/users/erase", json=body, headers=self.clinic), False)

    def _erase(self, talks, receipt, gone):
        if gone:
            assert receipt.status_code == 404
            return
        rows = receipt.json()["rows"]
        self.seen["erase"] += bool(talks)
        assert rows["sessions"] == receipt.json()["sessions"] == len(talks)
        assert rows["turns"] == sum(len(talk.turns) for talk in talks)
        for talk in talks:
            talk.erased = True

    def _add(self, talk, name, turn_id, text, status):
        assert turn_id not in {turn["turn_id"] for turn in talk.turns}
        talk.keys[name] = {"turn_id": turn_id, "post": text, "status": status}
        talk.turns.append(talk.keys[name])

    def _same_person(self, talk):
        return [t for t in self.mine if not t.erased and (t is talk or (talk.user and t.user == talk.user))]

    def _same(self, held, talk):
        told = [(turn["turn_id"], turn["post"], turn["reply"]) for turn in held["session"]["turns"]]
        replies = {"committed": REPLY}
        assert told == [(turn["turn_id"], turn["post"], replies.get(turn["status"])) for turn in talk.turns]
        ended = [turn["status"] for turn in held["session"]["turns"] if turn["status"] not in ("accepted", "running")]
        assert ended == [turn["status"] for turn in talk.turns if turn["status"] != "open"]
        if not talk.user:
            assert [entry["given"] for entry in held["consents"]] == talk.consents

    def teardown(self):
        for talk in self.mine:
            if not talk.erased:
                assert self.client.delete(talk.path, headers=talk.headers).status_code == 200


def test_the_sessions_are_as_the_model_says(database_url, tmp_path):
    chosen = Settings(
        database_url=database_url, data_dir=tmp_path, encryption_keys=new_key("t"), drain_seconds=1, lease_seconds=5
    )
    model = SlowModel(script=ZH_CHAIN, piece=1000)
    app = create_app(chosen, open_engine=lambda given: EmpathyEngine.open(given, model=model))
    with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        Sessions.client, Sessions.clinic = client, asyncio.run(key(chosen, "clinic"))
        run_state_machine_as_test(
            Sessions,
            settings=settings(
                max_examples=18,
                stateful_step_count=30,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    met = {name for name, count in Sessions.seen.items() if count}
    assert met >= {"post 200", "post 404", "post 422", "cancel open", "cancel committed", "erase"}, Sessions.seen


@pytest.fixture(autouse=True)
def _no_left_overs():
    yield
    Sessions.client = Sessions.clinic = None
