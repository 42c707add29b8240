"""Sessions over HTTP."""

from support.models import ZH_CHAIN

POST = "第三次面试又挂了，走到最后一轮才被拒。妈妈打电话来我没敢接。"


async def test_creation_gives_a_token_disclosures_and_limits(client):
    answer = await client.post("/v1/sessions", json={"locale": "en", "region": "us", "metadata": {"from": "test"}})
    assert answer.status_code == 201
    made = answer.json()
    assert made["token"]
    assert "AI" in made["disclosures"][0]["text"]
    assert made["limits"] == {"max_post_chars": 8000}
    assert answer.headers["cache-control"] == "no-store"


async def test_creation_needs_no_body(client):
    assert (await client.post("/v1/sessions")).status_code == 201
    assert (await client.post("/v1/sessions", json={})).status_code == 201


async def test_a_session_shows_its_turns(session):
    await session.send(POST)
    shown = (await session.get()).json()
    assert [(turn["post"], turn["reply"], turn["status"]) for turn in shown["turns"]] == [
        (POST, ZH_CHAIN["response"], "committed")
    ]
    assert shown["region"] == "CN"


async def test_export_holds_everything_and_says_who_wrote_it(session):
    await session.send(POST)
    answer = await session.get("/export")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert POST in answer.text
    assert ZH_CHAIN["response"].splitlines()[0] in answer.text
    assert "AI" in answer.json()["label"]


async def test_erasing_leaves_nothing_and_gives_a_receipt(session):
    await session.send(POST)
    receipt = (await session.delete()).json()
    assert receipt["sessions"] == 1
    assert receipt["receipt_id"]
    gone = await session.get()
    assert gone.status_code == 404
    assert gone.json()["code"] == "session_not_found"


async def test_a_session_opens_with_its_own_token_only(client, session):
    other = (await client.post("/v1/sessions")).json()
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": f"Bearer {other['token']}"}):
        for method, path in (
            ("GET", ""),
            ("GET", "/export"),
            ("DELETE", ""),
            ("POST", "/turns"),
            ("GET", "/turns/t_1/events"),
            ("POST", "/turns/t_1/cancel"),
        ):
            json = {"text": POST} if path == "/turns" else None
            answer = await client.request(method, session.path + path, headers=headers, json=json)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
    assert (await session.get()).json()["turns"] == []


async def test_a_contact_is_kept_with_consent_and_forgotten(session):
    contact = {"name": "小林", "reach": "138 0000 0000", "relation": "室友"}
    refused = await session.client.put(f"{session.path}/contact", json=contact, headers=session.headers)
    assert refused.status_code == 422
    kept = await session.client.put(
        f"{session.path}/contact", json=contact | {"consent": True}, headers=session.headers
    )
    assert kept.status_code == 204
    assert (await session.get()).json()["contact"]["reach"] == "138 0000 0000"
    assert (await session.client.delete(f"{session.path}/contact", headers=session.headers)).status_code == 204
    assert (await session.get()).json()["contact"] is None


async def test_a_part_of_a_country_is_kept(client):
    made = (await client.post("/v1/sessions", json={"region": "US-IL", "minor": True})).json()
    assert [row["id"] for row in made["disclosures"]].count("minor_start") == 2
    headers = {"Authorization": f"Bearer {made['token']}"}
    shown = (await client.get(f"/v1/sessions/{made['session_id']}", headers=headers)).json()
    assert (shown["region"], shown["minor"]) == ("US-IL", True)
