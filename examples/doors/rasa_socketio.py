"""Rasa's socket.io channel, with no Rasa behind it.

Run: pip install python-socketio aiohttp && python examples/doors/rasa_socketio.py [address]
"""

import asyncio
import sys
from contextlib import suppress

import socketio

POST = "最近总是睡不着，一闭眼就想起那天吵架时说的话。我想道歉，可是已经过去半年了，不知道他还愿不愿意听。"


async def main(address: str) -> None:
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(address, transports=["websocket"])
        await client.emit("user_uttered", {"message": POST, "session_id": "visitor-4"})
        patience = 120
        with suppress(socketio.exceptions.TimeoutError):
            while True:
                _, message = await client.receive(timeout=patience)
                print(message.get("text", ""))
                patience = 2  # what belongs to one answer comes at once


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"))
