"""Chat models that the graph can continue: the embedded one and vLLM."""


class ContinuesFinalMessage:
    """Marks a chat model that continues a final assistant message instead of answering it.

    The graph then lets each node extend one growing assistant message, so that a node prefills only the
    few tokens that its predecessor has not left in the cache. Other chat models get a prompt per node.
    """

    def knows(self, posts: str) -> bool:
        """Whether the model can answer such posts. A model that was trained on everything knows all."""
        return True
