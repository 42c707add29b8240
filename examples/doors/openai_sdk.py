"""The OpenAI-compatible door with OpenAI's own client.

Run: python examples/doors/openai_sdk.py [address]
"""

import sys

from openai import OpenAI

POST = "最近总是睡不着，一闭眼就想起那天吵架时说的话。我想道歉，可是已经过去半年了，不知道他还愿不愿意听。"

address = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
client = OpenAI(base_url=f"{address}/v1", api_key="the server's EMPATHY_R1_OPENAI_API_KEY, if it has one")
messages = [{"role": "user", "content": POST}]
for chunk in client.chat.completions.create(model="empathy-r1", messages=messages, user="visitor-1", stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
