"""Who calls: tenants by their API keys, and strangers where keys are not required."""

from dataclasses import dataclass

from empathy_r1.plugin._parts import Parts, stored
from empathy_r1.plugin.errors import ForbiddenError, UnauthorizedError
from empathy_r1.storage import ApiKeys
from empathy_r1.storage.keys import PREFIX, SCOPES, Scope

__all__ = ["PREFIX", "SCOPES", "Caller", "Scope", "Tenants"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls on behalf of a tenant."""

    tenant: str
    actor: str
    """How the audit log names the caller."""
    scopes: frozenset[str]

    def needs(self, scope: Scope) -> None:
        """Checks what the caller may do.

        Raises:
            ForbiddenError: not this.
        """
        if scope not in self.scopes:
            raise ForbiddenError(scope)


class Tenants:
    """The tenants of one engine."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keys = ApiKeys(parts.database)

    async def by_key(self, secret: str) -> Caller:
        """The caller that an API key stands for.

        Raises:
            UnauthorizedError: the key is unknown or revoked.
            StorageUnavailableError: the database does not answer.
        """
        if secret.startswith(PREFIX):
            with stored():
                key = await self._keys.find(secret)
            if key is not None:
                return Caller(key.tenant, f"key:{key.id}", key.scopes)
        raise UnauthorizedError("API key")

    def stranger(self, tenant: str) -> Caller:
        """A caller without a key, who may chat in `tenant`.

        Raises:
            UnauthorizedError: the settings require keys.
        """
        if self._parts.settings.require_keys:
            raise UnauthorizedError("API key")
        return Caller(tenant, "anyone", frozenset({"chat"}))
