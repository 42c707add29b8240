"""What was said before in a session: posts and replies of answered turns, never their reasoning."""

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from empathy_r1.plugin._parts import Parts


async def said_before(parts: Parts, session_id: str, number: int | None = None) -> list[BaseMessage]:
    """The last `max_history` answered turns, those before turn `number` only, as messages."""
    turns = await parts.journal.of_session(session_id)
    answered = [turn for turn in turns if turn.status == "committed"][-parts.settings.max_history :]
    messages: list[BaseMessage] = []
    for past in answered:
        if number is None or past.number < number:
            messages.append(HumanMessage(past.post, id=past.id))
            messages.append(AIMessage(past.reply or "", id=f"{past.id}-reply"))
    return messages
