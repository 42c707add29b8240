"""The chat API: a session, a post, the events of its turn.

Run: python examples/doors/chat_api.py [address]
"""

import json
import sys
import uuid

import httpx

POST = "最近总是睡不着，一闭眼就想起那天吵架时说的话。我想道歉，可是已经过去半年了，不知道他还愿不愿意听。"

with httpx.Client(base_url=sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000", timeout=120) as http:
    session = http.post("/v1/sessions", json={"region": "CN"}).raise_for_status().json()
    head = {"Authorization": f"Bearer {session['token']}", "Accept": "text/event-stream"}
    head["Idempotency-Key"] = uuid.uuid4().hex  # sent again under the same key, it is the same turn
    where = f"/v1/sessions/{session['session_id']}/turns"
    with http.stream("POST", where, json={"text": POST}, headers=head) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and (event := json.loads(line[5:]))["type"] == "token":
                print(event["text"], end="", flush=True)
print()
