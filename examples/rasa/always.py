"""An NLU component that takes every text for a post, but for a few whole phrases."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class AlwaysUtterance(GraphComponent):
    """Names the intent `utterance`, or the one whose phrase the text is."""

    def __init__(self, config: dict[str, Any]) -> None:
        phrases = config.get("phrases", {})
        self.intents = {phrase.casefold(): intent for intent, held in phrases.items() for phrase in held}

    @classmethod
    def create(
        cls, config: dict[str, Any], model_storage: ModelStorage, resource: Resource, context: ExecutionContext
    ) -> AlwaysUtterance:
        """Rasa's way to make a component."""
        return cls(config)

    def process(self, messages: list[Message]) -> list[Message]:
        """Sets the intent of each message."""
        for message in messages:
            words = (message.get(TEXT) or "").strip(" \t\n。.!！").casefold()
            intent = {"name": self.intents.get(words, "utterance"), "confidence": 1.0}
            message.set(INTENT, intent, add_to_output=True)
            message.set("intent_ranking", [intent], add_to_output=True)
            message.set(ENTITIES, [], add_to_output=True)
        return messages
