"""Keys open what they were made for, until they are revoked; nothing that opens is stored."""

import pytest

from empathy_r1.storage import ApiKeys
from empathy_r1.storage.audit import entries
from empathy_r1.storage.errors import KeyFormError


async def test_a_key_is_found_by_its_secret_until_it_is_revoked(store):
    keys = ApiKeys(store.db)
    made, secret = await keys.create("clinic", ["chat", "read"], name="web backend")
    assert secret.startswith("er1_")
    assert len(secret) > 40
    found = await keys.find(secret)
    assert found == made
    assert found.scopes == {"chat", "read"}
    assert await keys.find(secret + "x") is None
    assert await keys.revoke(made.id)
    assert await keys.find(secret) is None
    assert not await keys.revoke(made.id)
    assert not await keys.revoke("k_unknown")
    assert [(e.action, e.subject, e.tenant, e.actor) for e in await entries(store.db)] == [
        ("key.created", made.id, "clinic", "operator"),
        ("key.revoked", made.id, "clinic", "operator"),
    ]


async def test_keys_are_listed_without_what_opens_them(store):
    keys = ApiKeys(store.db)
    _, first = await keys.create("a", ["chat"])
    _, second = await keys.create("b", ["admin", "erase"])
    assert [key.tenant for key in await keys.all()] == ["a", "b"]
    assert [key.tenant for key in await keys.all("b")] == ["b"]
    assert first[4:] not in repr(await keys.all())
    assert second[4:] not in repr(await keys.all())


@pytest.mark.parametrize(
    ("tenant", "scopes"),
    [("", ["chat"]), ("-", ["chat"]), ("a b", ["chat"]), ("a" * 65, ["chat"]), ("a", []), ("a", ["root"])],
)
async def test_keys_that_cannot_be_are_refused(store, tenant, scopes):
    with pytest.raises(KeyFormError, match="expected"):
        await ApiKeys(store.db).create(tenant, scopes)
