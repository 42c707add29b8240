"""The errors of the OpenAI client as ours: where the model was expected, what went wrong, what to do."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import openai

from empathy_r1.graph.errors import ModelError, ModelNotFoundError, ModelUnavailableError, PromptTooLongError

OTHER_API = "an OpenAI-compatible API; its address usually ends in /v1"


@contextmanager
def clear_errors(where: str, model: str = "") -> Iterator[None]:
    """Raises what the OpenAI client raises inside as a `ModelError`.

    A server's refusal may quote the prompt, so it is not kept as the cause: a logged traceback holds no post.
    """
    try:
        yield
    except openai.APIStatusError as error:
        raise model_error(error, where, model) from None
    except (openai.OpenAIError, TimeoutError, json.JSONDecodeError) as error:
        raise model_error(error, where, model) from error


def model_error(error: Exception, where: str, model: str = "") -> ModelError:
    """`error` of the OpenAI client, of a request to `model` at the address `where`."""
    match error:
        case openai.APITimeoutError() | TimeoutError():
            return ModelUnavailableError(where, "it did not answer in time")
        case openai.APIConnectionError():
            return ModelUnavailableError(where, _connection(error))
        case openai.NotFoundError() if "model" in error.message.lower():
            return ModelNotFoundError(where, f"one that is called {model or 'so'}")
        case openai.NotFoundError():
            return ModelNotFoundError(where, OTHER_API)
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ModelUnavailableError(where, f"it refused the API key with status {error.status_code}")
        case openai.APIStatusError() if _CONTEXT.search(error.message):
            return PromptTooLongError(
                _number(r"(?:contains|requested|resulted in|has)\D{0,30}?(\d+) (?:input )?tokens", error.message),
                _number(r"context (?:length|window)\D{0,20}(\d+)", error.message),
            )
        case openai.BadRequestError() | openai.UnprocessableEntityError():
            about = f" ({error.param})" if re.fullmatch(r"[\w.]{1,40}", error.param or "") else ""
            return ModelError(
                f"The model's server at {where} refused the request with status {error.status_code}{about}. "
                "Expected one that takes these sampling options, and continues messages where it is asked to: "
                "its own log says more."
            )
        case openai.APIStatusError():
            return ModelUnavailableError(where, f"it answered with status {error.status_code}")
        case json.JSONDecodeError():
            return ModelUnavailableError(where, "it answered with something else than JSON")
        case openai.APIError():
            return ModelUnavailableError(where, "it broke off with an error while it answered")
        case _:
            return ModelUnavailableError(where, type(error).__name__)


_CONTEXT = re.compile(r"context.?(?:length|window)|prompt is too long|input tokens exceed", re.IGNORECASE)


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _connection(error: Exception) -> str:
    """What broke, as the deepest cause tells it: the client itself says only that something did."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(cause, socket.gaierror):
            return "its host name is not known"
        last, cause = cause, cause.__cause__ or cause.__context__
    return "the connection broke" if "Protocol" in type(last).__name__ else "the connection failed"
