"""Errors that the graph and its models raise. Each says what was wrong, what was expected and what to do."""


class EmpathyR1Error(Exception):
    """Base of every error that this project raises on purpose."""


class MissingExtraError(EmpathyR1Error, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} requires the '{extra}' extra. Install it with: pip install 'empathy-r1[{extra}]'")


class PostError(EmpathyR1Error, ValueError):
    """A post that cannot be answered as it stands; nothing was stored or sent to a model."""


class EmptyPostError(PostError):
    """The post has no visible character."""

    def __init__(self) -> None:
        super().__init__("The post is empty. Expected at least one visible character: write something.")


class PostTooLongError(PostError):
    """The post has more characters than the limit allows."""

    def __init__(self, characters: int, limit: int) -> None:
        super().__init__(
            f"The post has {characters} characters; at most {limit} are accepted. "
            "Send it in parts, or raise the limit (EMPATHY_R1_MAX_POST_CHARS)."
        )


class BrokenTextError(PostError):
    """The post is not valid Unicode text (lone surrogates)."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The post is not valid Unicode: a lone surrogate stands at character {position}. "
            "Expected well-formed text: send it as UTF-8."
        )


class ModelError(EmpathyR1Error):
    """The model could not give an answer."""


class ModelNotFoundError(ModelError):
    """No model stands where one was expected."""

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(f"No model at {where}: expected {expected}.")


class ModelUnavailableError(ModelError):
    """The model's server cannot be reached, or failed while it answered. Trying again later may help."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"The model at {where} is not available: {reason}. "
            "Check that it runs and that the address is right, then try again."
        )


class ReplyCutError(ModelError):
    """The model broke off after a part of the reply was shown; it is not tried again by itself."""

    def __init__(self) -> None:
        super().__init__("The model broke off in the middle of the reply. Send the post again to get a whole one.")


class PromptTooLongError(ModelError):
    """The conversation does not fit the model's context window."""

    def __init__(self, tokens: int | None, limit: int | None) -> None:
        size = f" ({tokens} tokens)" if tokens is not None else ""
        bound = f" of {limit} tokens" if limit is not None else ""
        super().__init__(
            f"The post and its history{size} do not fit the model's context window{bound}. "
            "Shorten the post, or serve the model with a longer context."
        )
