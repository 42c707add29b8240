"""Consent, export, erasure and the audit log over HTTP, on both databases."""

import pytest

from .conftest import Session, serving
from support.keys import key


@pytest.fixture
def settings(settings, database_url):
    return settings.model_copy(update={"database_url": database_url})


async def talked(client, headers=None, **body):
    session = Session(client, (await client.post("/v1/sessions", json=body, headers=headers)).json())
    assert (await session.send("I keep the letter in a locked drawer")).status_code == 200
    return session


def decision(given, purpose="training", version="2026-01"):
    return {"purpose": purpose, "version": version, "given": given}


async def test_a_person_agrees_and_withdraws_with_the_sessions_token(client):
    session = await talked(client)
    assert (await session.get("/consents")).json() == []
    assert (await session.post("/consents", decision(True))).status_code == 201
    assert await client.app.state.engine.custody.agreed("training") == [session.path.rpartition("/")[2]]
    assert (await session.post("/consents", decision(False, version="2026-02"))).status_code == 201
    ledger = (await session.get("/consents")).json()
    assert [(entry["version"], entry["given"]) for entry in ledger] == [("2026-01", True), ("2026-02", False)]
    assert await client.app.state.engine.custody.agreed("training") == []


@pytest.mark.parametrize("wrong", [{"purpose": "Training!"}, {"version": ""}, {"given": "perhaps"}, {"more": 1}])
async def test_a_decision_that_is_none_is_refused(client, wrong):
    session = await talked(client)
    refused = await session.post("/consents", decision(True) | wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_the_export_holds_all_that_is_held(client):
    session = await talked(client, metadata={"case": "7"})
    await session.post("/consents", decision(True))
    held = (await session.get("/export")).json()
    assert held["session"]["turns"][0]["post"] == "I keep the letter in a locked drawer"
    assert held["session"]["metadata"] == {"case": "7"}
    assert [entry["given"] for entry in held["consents"]] == [True]
    assert [entry["action"] for entry in held["audit"]] == ["consent.given", "session.exported"]


async def test_a_user_is_erased_everywhere_with_a_receipt_that_the_log_confirms(client, settings):
    clinic = await key(settings, "clinic")
    for user in ("ann", "ann", "bob"):
        await talked(client, clinic, user=user)
    receipt = (await client.post("/v1/users/erase", json={"user": "ann"}, headers=clinic)).json()
    assert receipt["sessions"] == 2
    assert {table: receipt["rows"][table] for table in ("sessions", "turns")} == {"sessions": 2, "turns": 2}
    export = await client.post("/v1/users/export", json={"user": "ann"}, headers=clinic)
    assert export.json() == {"sessions": []}
    bob = await client.post("/v1/users/export", json={"user": "bob"}, headers=clinic)
    assert len(bob.json()["sessions"]) == 1
    asked = {"subject": receipt["receipt_id"]}
    (entry,) = (await client.get("/v1/audit", params=asked, headers=clinic)).json()
    assert entry["action"] == "erasure.receipt"
    assert entry["counts"] == receipt["rows"]
    assert entry["actor"].startswith("key:k_")
    whole = (await client.get("/v1/audit", headers=clinic)).text
    assert "ann" not in whole
    assert "letter" not in whole


async def test_the_log_is_read_in_pages_by_the_tenants_own_program(client, settings):
    clinic = await key(settings, "clinic")
    for _ in range(3):
        session = await talked(client, clinic)
        await session.get("/export")
    first = (await client.get("/v1/audit", params={"limit": 2}, headers=clinic)).json()
    rest = (await client.get("/v1/audit", params={"after": first[-1]["id"]}, headers=clinic)).json()
    assert [e["action"] for e in first + rest] == ["key.created"] + ["session.exported"] * 3
    assert {entry["tenant"] for entry in first + rest} == {"clinic"}


async def test_old_sessions_are_swept_by_the_engine_itself(settings, model):
    settings = settings.model_copy(update={"retention_days": 1e-9, "sweep_minutes": 0.002})
    async with serving(settings, model) as client:
        session = await talked(client)
        for _ in range(600):
            if (await session.get()).status_code == 404:
                break
        else:
            raise AssertionError("it was not swept")
