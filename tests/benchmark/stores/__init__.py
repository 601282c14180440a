"""Stores as the benchmark drives them: each module speaks to one package, in its own calls, and adds nothing.

A store object is used as the documentation of its package uses it: what is kept there between calls is kept here.
The limits on messages and the timeouts of locks are lifted.
These modules run in the environment of their package, which has readfresh and the tests on its path, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

PATIENCE_SECONDS = 120.0


class Store(Protocol):
    """What is measured: `append`, `read`, `list`, and making one. The others are work around it."""

    def append(self, session_id: str, text: str) -> object:
        """Append one message; it is kept when this returns."""

    def read(self, session_id: str) -> Any:
        """Return the full history, in whatever form the package has it."""

    def texts(self, history: Any) -> Sequence[str]:
        """Return the texts of what `read` has returned."""

    def fill(self, session_id: str, texts: Sequence[str]) -> object:
        """Make a session of these messages in the fastest way that the package has."""


class Lister(Store, Protocol):
    """A store that can list its sessions."""

    def list(self, limit: int) -> Sequence[object]:
        """Return an entry for each session."""
