"""What the person is told when a turn has no answer, in both languages: their words are kept, and what to do."""

from typing import Any

from empathy_r1.graph.errors import ModelError, ModelNotFoundError, PromptTooLongError, ReplyCutError
from empathy_r1.graph.labels import Locale
from empathy_r1.plugin.events import Failed


def failure(error: Exception, place: dict[str, Any], locale: Locale) -> Failed:
    """The event that ends a turn because of `error`; `place` holds its sequence number and turn."""
    match error:
        case PromptTooLongError():
            code, retryable = "too_long", False
        case ModelNotFoundError():
            code, retryable = "model_not_found", False
        case ReplyCutError():
            code, retryable = "reply_cut", True
        case TimeoutError():
            code, retryable = "timeout", True
        case ModelError():
            code, retryable = "model_unavailable", True
        case _:
            code, retryable = "internal", True
    return Failed(**place, code=code, message=_MESSAGES[locale][code], retryable=retryable)


_MESSAGES: dict[Locale, dict[str, str]] = {
    "zh": {
        "too_long": "这段话加上之前的对话，超出了模型一次能读的长度。你写的都还在，请分几次发给我。",
        "model_not_found": "服务里没有配置好的模型，暂时没法回应。你写的都还在，请联系这里的管理员。",
        "reply_cut": "回复说到一半断开了。你写的都还在，请再发一次，我会从头好好回应。",
        "timeout": "这次想得太久，没有在时限内写完。你写的都还在，请再发一次。",
        "model_unavailable": "我这边暂时连不上模型，没能回应你。你写的都还在，请过一会儿再发一次。",
        "internal": "我这边出了一个问题，没能回应你。你写的都还在，请再发一次。",
    },
    "en": {
        "too_long": (
            "This post and our conversation so far are longer than the model can read at once. "
            "What you wrote is kept; please send it in parts."
        ),
        "model_not_found": (
            "The model that was set up is not there, so I cannot answer. What you wrote is kept; "
            "please tell the people who run this service."
        ),
        "reply_cut": "The reply broke off. What you wrote is kept; please send it again and I will answer afresh.",
        "timeout": "This took too long and was not finished in time. What you wrote is kept; please send it again.",
        "model_unavailable": (
            "I cannot reach the model at the moment, so I could not answer. What you wrote is kept; "
            "please send it again in a little while."
        ),
        "internal": "Something went wrong on my side. What you wrote is kept; please send it again.",
    },
}
