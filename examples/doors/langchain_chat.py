"""The OpenAI-compatible door as a LangChain chat model.

Run: python examples/doors/langchain_chat.py [address]
"""

import sys

from langchain_openai import ChatOpenAI

POST = "最近总是睡不着，一闭眼就想起那天吵架时说的话。我想道歉，可是已经过去半年了，不知道他还愿不愿意听。"

address = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
chat = ChatOpenAI(model="empathy-r1", base_url=f"{address}/v1", api_key="none", model_kwargs={"user": "visitor-2"})
print(chat.invoke(POST).text)
