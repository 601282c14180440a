"""Tests of `DbSessionAdapter`, over SQLite and a real PostgreSQL."""

import pytest

pytest.register_assert_rewrite("tests.store.test_verbs")
