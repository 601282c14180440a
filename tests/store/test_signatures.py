"""The verbs are those of PraisonAI's API, with the arguments that the product promises."""

import inspect
from typing import Any

import pytest

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    HistoryStoreProtocol,
    SessionStoreProtocol,
    get_default_session_store,
    get_hierarchical_session_store,
)
from tests.store.support import VERBS, Kind

PLAIN = {
    "add_message": "session_id, role, content, metadata=None, *, tool_calls=None, tool_call_id=None",
    "add_user_message": "session_id, content, metadata=None",
    "add_assistant_message": "session_id, content, metadata=None, *, tool_calls=None",
    "get_chat_history": "session_id, max_messages=None",
    "get_session": "session_id",
    "set_chat_history": "session_id, messages",
    "update_session_metadata": "session_id, **fields",
    "set_agent_info": "session_id, agent_name=Ellipsis, user_id=Ellipsis",
    "set_gateway_info": "session_id, gateway_session_id=Ellipsis, agent_id=Ellipsis",
    "get_by_gateway_session": "gateway_session_id",
    "list_sessions_by_gateway_agent": "agent_id, limit=50",
    "clear_session": "session_id",
    "delete_session": "session_id",
    "session_exists": "session_id",
    "list_sessions": "limit=50",
    "list_sessions_by_agent": "agent_name, limit=50",
    "get_sessions_by_agent": "agent_name, limit=10",
    "get_agent_chat_history": "agent_name, max_messages=None, max_sessions=5",
    "invalidate_cache": "session_id=None",
    "update": "session_id, change",
}
HIERARCHICAL = {
    "create_session": "session_id=None, title=None, parent_id=None, agent_name=None, metadata=None",
    "fork_session": "session_id, from_message_index=None, title=None",
    "get_children": "session_id",
    "get_parent": "session_id",
    "get_session_tree": "session_id",
    "create_snapshot": "session_id, label=None, metadata=None",
    "get_snapshots": "session_id",
    "revert_to_snapshot": "session_id, snapshot_id",
    "revert_to_message": "session_id, message_index",
    "share_session": "session_id",
    "unshare_session": "session_id",
    "is_shared": "session_id",
    "set_title": "session_id, title",
    "auto_title": "session_id, make_title=None",
    "get_extended_session": "session_id, force_reload=False",
    "export_session": "session_id",
    "import_session": "data, new_session_id=None",
}


def arguments(function: Any) -> str:
    """Return the arguments of a method as its definition writes them, without types."""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    ]
    return str(inspect.Signature(parameters))[1:-1]


def methods(kind: type) -> set[str]:
    """Return the names of the public methods of a class, inherited ones included."""
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize(("name", "expected"), PLAIN.items())
def test_verbs_of_both_stores_take_what_is_promised(kind: Kind, name: str, expected: str) -> None:
    """A verb has the same arguments, in the same order and with the same defaults, on both stores."""
    assert arguments(getattr(kind, name)) == expected


@pytest.mark.parametrize(("name", "expected"), HIERARCHICAL.items())
def test_verbs_of_the_hierarchical_store_take_what_is_promised(name: str, expected: str) -> None:
    """A verb of the hierarchical store has the promised arguments."""
    assert arguments(getattr(HierarchicalSessionStore, name)) == expected


def test_stores_have_these_verbs_and_no_others() -> None:
    """A verb that is added is added to this list, and to the table that the other tests run over."""
    assert methods(DefaultSessionStore) == PLAIN.keys()
    assert methods(HierarchicalSessionStore) == PLAIN.keys() | HIERARCHICAL.keys()
    assert {verb.name for verb in VERBS} == PLAIN.keys() | HIERARCHICAL.keys()
    assert {verb.name for verb in VERBS if verb.hierarchical} == HIERARCHICAL.keys()


def test_stores_are_made_with_the_same_arguments(kind: Kind) -> None:
    """The four positional arguments are the documented ones; everything else goes by keyword."""
    parameters = inspect.signature(kind).parameters
    positional = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    }
    assert positional == {"session_dir": None, "max_messages": None, "lock_timeout": 5.0, "durability": "power"}
    assert list(parameters)[4:] == ["on_error", "now", "new_id", "max_file_bytes", "disk", "storage"]


def test_protocol_has_five_methods_and_no_more(kind: Kind, store: DefaultSessionStore[Any]) -> None:
    """`SessionStoreProtocol` asks for PraisonAI's five methods; what goes beyond is a protocol of its own."""
    five = {"add_message", "get_chat_history", "clear_session", "delete_session", "session_exists"}
    more = {"set_chat_history", "update_session_metadata", "get_session"}
    assert methods(SessionStoreProtocol) == five
    assert methods(HistoryStoreProtocol) == five | more
    assert isinstance(store, SessionStoreProtocol)
    assert isinstance(store, HistoryStoreProtocol)
    for protocol in (SessionStoreProtocol, HistoryStoreProtocol):
        for name in methods(protocol):
            ours, asked = (inspect.signature(getattr(one, name)).parameters for one in (kind, protocol))
            assert list(ours)[: len(asked)] == list(asked), name


def test_five_methods_make_a_session_store() -> None:
    """An object with the five methods is a session store, and no history store."""
    five = type("Five", (), {name: lambda *_: None for name in methods(SessionStoreProtocol)})()
    assert isinstance(five, SessionStoreProtocol)
    assert not isinstance(five, HistoryStoreProtocol)


def test_default_stores_are_one_object_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The process has one default store of each class, in the directory that the environment variable names."""
    monkeypatch.setenv("READFRESH_SESSION_DIR", str(tmp_path / "sessions"))
    monkeypatch.setattr("readfresh.default._stores", {})
    plain, tree = get_default_session_store(), get_hierarchical_session_store()
    assert (type(plain), type(tree)) == (DefaultSessionStore, HierarchicalSessionStore)
    assert plain.session_dir == tree.session_dir == str(tmp_path / "sessions")
    assert get_default_session_store() is plain
    assert get_hierarchical_session_store() is tree
    assert not (tmp_path / "sessions").exists()
