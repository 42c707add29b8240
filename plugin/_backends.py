"""What the settings name: the model, the key ring, and whether a model's server answers."""

from langchain_core.language_models import BaseChatModel

from empathy_r1.graph.models.vllm import served_models, vllm_chat
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage import KeyRing
from empathy_r1.storage.errors import StorageError


def model_of(settings: Settings) -> BaseChatModel:
    """The policy that the settings name.

    Raises:
        ModelError: no model there.
    """
    if settings.model_url:
        return vllm_chat(settings.model_url, settings.model, api_key=_api_key(settings))
    from empathy_r1.graph.models.embedded import EmbeddedChat, shipped_model

    return EmbeddedChat(path=settings.model) if settings.model else shipped_model()


def served(settings: Settings) -> list[str]:
    """Names of the models that the server at `model_url` has.

    Raises:
        ModelError: it does not answer within 1.5 s.
    """
    return served_models(settings.model_url or "", api_key=_api_key(settings), timeout=1.5)


def ring_of(settings: Settings) -> KeyRing:
    """The key ring of the settings, or of the file in `data_dir`.

    Raises:
        StorageError: PostgreSQL without keys in the settings, or keys that cannot be used.
    """
    if settings.encryption_keys is not None:
        return KeyRing(settings.encryption_keys.get_secret_value())
    if not settings.database_url.startswith("sqlite"):
        raise StorageError(
            "EMPATHY_R1_ENCRYPTION_KEYS is not set; with PostgreSQL every process needs the same keys. "
            "Make one with: empathy-r1 db key"
        )
    return KeyRing.in_file(settings.data_dir / "encryption.key")


def _api_key(settings: Settings) -> str | None:
    return settings.model_api_key.get_secret_value() if settings.model_api_key else None
