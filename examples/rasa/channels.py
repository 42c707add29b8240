"""Rasa's REST and socket.io channels, but a text that opens with `/` is a text and no command."""

from rasa.core.channels.rest import RestInput
from rasa.core.channels.socketio import SocketIOInput

WORD_JOINER = "\u2060"
"""Seen by nobody. Rasa takes a text for a command where its first character is `/`."""


class _AsText:
    def blueprint(self, on_new_message):
        async def guarded(message):
            if (message.text or "").lstrip().startswith("/"):
                message.text = WORD_JOINER + message.text
            return await on_new_message(message)

        return super().blueprint(guarded)


class Rest(_AsText, RestInput):
    """`/webhooks/rest/webhook`."""


class SocketIO(_AsText, SocketIOInput):
    """`/socket.io`."""
