"""What each adapter has to do before anything is said about its peer, checked in the peer's own environment.

python -m tests.peers.contract tests.peers.agno.adapter:files
"""

from __future__ import annotations

import importlib
import inspect
import sys
import tempfile
from pathlib import Path

from readfresh import SessionStoreProtocol
from readfresh.conformance.factory import from_name
from tests.peers.adapter import Peer


def check(peer: Peer, place: Path) -> None:
    """Check that the five methods do what they are for, with nobody else there, and what we quote is there."""
    store, other = peer(place), peer(place)
    assert isinstance(store, SessionStoreProtocol)
    assert store.get_chat_history("trip") == []
    assert not store.session_exists("trip")
    assert store.add_message("trip", "user", "Where to?")
    assert other.add_message("trip", "assistant", "Porto. où? 日本 🎈")
    assert store.add_message("hotels", "user", "Which?", {"k": 1})
    for each in (store, other, peer(place)):
        history = [(message["role"], message["content"]) for message in each.get_chat_history("trip")]
        assert history == [("user", "Where to?"), ("assistant", "Porto. où? 日本 🎈")], history
        assert [message["content"] for message in each.get_chat_history("trip", 1)] == ["Porto. où? 日本 🎈"]
        assert each.session_exists("trip")
    assert store.clear_session("trip")
    assert other.get_chat_history("trip") == []
    assert store.delete_session("hotels")
    assert not other.session_exists("hotels")
    assert other.get_chat_history("hotels") == []
    for each in (store, other):
        peer.close(each)
    described = peer.describe()
    assert described["version"].startswith(peer.package)
    assert peer.promises
    for promise in peer.promises:
        if not promise.where.startswith("https://"):
            source = inspect.getsource(importlib.import_module(promise.where))
            assert promise.says in source, f"{promise.where} does not say {promise.says!r}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        check(from_name(sys.argv[1]), Path(folder))
