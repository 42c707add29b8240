"""Alembic's scripts; empathy_r1.storage.migrate runs them."""
