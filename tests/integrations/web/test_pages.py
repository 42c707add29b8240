"""Pages, operations, OpenAPI, cross-origin use, and what never leaves."""

import json
import re

import pytest

from empathy_r1.integrations.web import pages

from .conftest import Session, serving
from support.models import ZH_CHAIN

POST = "第三次面试又挂了，走到最后一轮才被拒。妈妈打电话来我没敢接。"
CRISIS = "我不想活了，今晚就想结束这一切"
HIDDEN = [ZH_CHAIN[name] for name in ("emotion", "cause", "intention", "strategy")]


async def test_the_page_runs_under_a_strict_policy(client):
    page = await client.get("/")
    assert "<empathy-chat>" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src)|<style|\sstyle=|\son\w+=", page.text)
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_the_element_is_one_small_file_from_here(client):
    answer = await client.get("/widget.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "innerHTML" not in answer.text
    assert not re.search(r"https?://(?!your-host|www\.w3\.org|findahelpline\.com)", answer.text)


@pytest.mark.parametrize("path", ["/page.css", "/icon.svg"])
async def test_the_page_has_what_it_names(client, path):
    assert path.lstrip("/") in (await client.get("/")).text
    assert (await client.get(path)).status_code == 200


async def test_help_needs_no_session(client):
    zh = (await client.get("/v1/help?locale=zh&region=CN")).json()
    assert zh["card"]["lines"][0]["href"] == "tel:12356"
    assert len(zh["plan"]) >= 5
    unknown = (await client.get("/v1/help?locale=en")).json()
    assert unknown["card"]["region"] is None


async def test_the_protocol_is_published(client):
    page = await client.get("/safety-protocol", headers={"Accept-Language": "zh"})
    assert 'href="tel:12356"' in page.text
    assert page.headers["content-security-policy"] == pages.CSP
    data = (await client.get("/safety-protocol", headers={"Accept": "application/json"})).json()
    assert data["steps"]
    assert data["help"]


async def test_operations(client, session):
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    await client.app.state.engine.drain()
    assert (await client.get("/readyz")).status_code == 503
    refused = await session.send(POST)
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert refused.headers["retry-after"]


async def test_metrics_count_without_personal_data(client, session):
    await session.send(POST)
    await session.send(CRISIS)
    text = (await client.get("/metrics")).text
    assert re.search(r'^empathy_r1_events_total\{type="committed"\} \d+$', text, re.M)
    assert re.search(r'^empathy_r1_safety_total\{level="\w+",kind="suicide"\} \d+$', text, re.M)
    assert 'route="/v1/sessions/{session_id}/turns"' in text
    assert session.path.rsplit("/", 1)[1] not in text
    assert all(re.fullmatch(r"#.*|[a-z0-9_]+(\{.*\})? [0-9.e+-]+", line) for line in text.splitlines())


async def test_openapi_documents_every_route_and_its_errors(client):
    schema = (await client.get("/openapi.json")).json()
    assert set(schema["paths"]) >= {
        "/v1/sessions",
        "/v1/sessions/{session_id}",
        "/v1/sessions/{session_id}/export",
        "/v1/sessions/{session_id}/turns",
        "/v1/sessions/{session_id}/turns/{turn_id}/events",
        "/v1/sessions/{session_id}/turns/{turn_id}/cancel",
        "/healthz",
        "/readyz",
        "/metrics",
        "/safety-protocol",
        "/v1/help",
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            for status, answer in operation["responses"].items():
                if status >= "400" and path.startswith("/v1"):
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
    send = schema["paths"]["/v1/sessions/{session_id}/turns"]["post"]["responses"]
    assert set(send) >= {"200", "401", "404", "409", "413", "422", "429", "503"}
    assert set(send["200"]["content"]) == {"application/json", "text/event-stream"}
    assert "HTTPValidationError" not in json.dumps(schema)


async def test_named_origins_may_call_and_others_may_not(client):
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    named = await client.options("/v1/sessions", headers={"Origin": "https://clinic.example"} | ask)
    assert named.headers["access-control-allow-origin"] == "https://clinic.example"
    other = await client.options("/v1/sessions", headers={"Origin": "https://evil.example"} | ask)
    assert "access-control-allow-origin" not in other.headers


async def test_no_byte_of_the_hidden_chain_leaves(client, session):
    bodies = [(await session.stream(POST)).text, (await session.send(POST)).text]
    turn = (await session.get()).json()["turns"][0]["turn_id"]
    for path in ("", "/export", f"/turns/{turn}/events"):
        answer = await session.get(path)
        assert answer.status_code == 200
        bodies.append(answer.text)
    bodies += [(await client.get("/metrics")).text, (await client.get("/openapi.json")).text]
    for body in bodies:
        decoded = body + json.dumps(body) + re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), body)
        for secret in HIDDEN:
            for part in (secret, *re.split("[｜，/ ]", secret)):
                if len(part) >= 4:
                    assert part not in decoded


async def test_the_chain_leaves_where_the_operator_says_so(settings, model):
    revealing = settings.model_copy(update={"reveal_chain": True})
    async with serving(revealing, model) as client:
        session = Session(client, (await client.post("/v1/sessions", json={"locale": "zh"})).json())
        assert (await session.send(POST)).json()["chain"]["cause"] == ZH_CHAIN["cause"]
