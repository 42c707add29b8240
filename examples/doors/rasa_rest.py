"""Rasa's REST channel, with no Rasa behind it.

Run: python examples/doors/rasa_rest.py [address]
"""

import json
import sys
from urllib.request import Request, urlopen

POST = "最近总是睡不着，一闭眼就想起那天吵架时说的话。我想道歉，可是已经过去半年了，不知道他还愿不愿意听。"

address = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
body = {"sender": "visitor-3", "message": POST, "message_id": "1"}
with urlopen(Request(f"{address}/webhooks/rest/webhook", json.dumps(body).encode())) as answer:
    for message in json.load(answer):
        print(message.get("text", ""))
