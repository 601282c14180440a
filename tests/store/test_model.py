"""A model test: random verbs of several store objects of both classes against a dict of lists.

The model is all there is to a session store, without files, locks or errors.
"""

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionExists, verify
from tests.store.support import Store, contents, scaled

IDS = ("a", "A", "a/b", "é", "..")
ids = st.sampled_from(IDS)
which = st.sampled_from(range(4))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


class Sessions(RuleBasedStateMachine):
    """Four store objects, two of each class, on one directory; what one wrote each of them reads."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.messages: dict[str, list[tuple[str, str]]] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        self.agent: dict[str, str | None] = {}
        self.title: dict[str, str | None] = {}
        self.parent: dict[str, str] = {}
        self.children: dict[str, list[str]] = {}
        self.snapshots: dict[str, dict[str, list[tuple[str, str]]]] = {}

    @initialize()
    def open(self) -> None:
        """Open the stores."""
        numbers = itertools.count()
        self.stores: list[Store] = [
            kind(self.directory, durability="process", new_id=lambda: f"new-{next(numbers)}")
            for kind in (DefaultSessionStore, HierarchicalSessionStore) * 2
        ]

    def teardown(self) -> None:
        """Look once more, and clean up."""
        names = contents(self.directory)
        assert not [name for name in names if name.endswith(".tmp")]
        assert len(names) == len(self.messages)
        shutil.rmtree(self.directory)

    def tree(self, number: int) -> HierarchicalSessionStore:
        """Return one of the hierarchical stores."""
        store = self.stores[number | 1]
        assert isinstance(store, HierarchicalSessionStore)
        return store

    def made(self, session_id: str) -> None:
        """Note that the session exists."""
        self.messages.setdefault(session_id, [])
        self.metadata.setdefault(session_id, {})

    def forget(self, session_id: str) -> None:
        """Note that the session does not exist any more, and is nobody's child."""
        for table in (self.messages, self.metadata, self.agent, self.title, self.children, self.snapshots):
            table.pop(session_id, None)
        self.parent.pop(session_id, None)
        for child in [child for child, parent in self.parent.items() if parent == session_id]:
            del self.parent[child]  # for good: a session that takes the deleted one's id is another session
        for children in self.children.values():
            if session_id in children:
                children.remove(session_id)

    @rule(number=which, session_id=ids, role=st.sampled_from(["user", "assistant"]), content=texts)
    def add(self, number: int, session_id: str, role: str, content: str) -> None:
        """Add a message."""
        assert self.stores[number].add_message(session_id, role, content)
        self.made(session_id)
        self.messages[session_id].append((role, content))

    @rule(number=which, session_id=ids, contents=st.lists(texts, max_size=3))
    def replace(self, number: int, session_id: str, contents: list[str]) -> None:
        """Replace the history."""
        assert self.stores[number].set_chat_history(session_id, [{"role": "user", "content": one} for one in contents])
        self.made(session_id)
        self.messages[session_id] = [("user", one) for one in contents]

    @rule(number=which, session_id=ids)
    def clear(self, number: int, session_id: str) -> None:
        """Clear the session."""
        assert self.stores[number].clear_session(session_id) == (session_id in self.messages)
        if session_id in self.messages:
            self.messages[session_id] = []

    @rule(number=which, session_id=ids)
    def delete(self, number: int, session_id: str) -> None:
        """Delete the session."""
        assert self.stores[number].delete_session(session_id) == (session_id in self.messages)
        self.forget(session_id)

    @rule(number=which, session_id=ids, key=st.sampled_from(["k", "l"]), value=st.none() | st.integers() | texts)
    def put(self, number: int, session_id: str, key: str, value: Any) -> None:
        """Set a metadata field."""
        assert self.stores[number].update_session_metadata(session_id, **{key: value})
        self.made(session_id)
        self.metadata[session_id][key] = value

    @rule(number=which, session_id=ids, name=st.sampled_from(["Ann", "Bob", None]))
    def name(self, number: int, session_id: str, name: str | None) -> None:
        """Set or clear the agent."""
        assert self.stores[number].set_agent_info(session_id, agent_name=name)
        self.made(session_id)
        self.agent[session_id] = name

    @rule(number=which, session_id=ids, title=st.none() | texts)
    def entitle(self, number: int, session_id: str, title: str | None) -> None:
        """Set or clear the title."""
        assert self.tree(number).set_title(session_id, title)
        self.made(session_id)
        self.title[session_id] = title

    @rule(number=which, session_id=ids)
    @precondition(lambda self: self.messages)
    def keep(self, number: int, session_id: str) -> None:
        """Take a snapshot of a session that exists."""
        if session_id in self.messages:
            snapshot = self.tree(number).create_snapshot(session_id)
            self.snapshots.setdefault(session_id, {})[snapshot] = list(self.messages[session_id])

    @rule(number=which, session_id=ids, data=st.data())
    @precondition(lambda self: any(self.snapshots.values()))
    def revert(self, number: int, session_id: str, data: st.DataObject) -> None:
        """Revert to a snapshot, of this session or of another."""
        every = sorted(snapshot for kept in self.snapshots.values() for snapshot in kept)
        wanted = data.draw(st.sampled_from(every))
        known = self.snapshots.get(session_id, {})
        assert self.tree(number).revert_to_snapshot(session_id, wanted) == (wanted in known)
        if wanted in known:
            self.messages[session_id] = list(known[wanted])

    @rule(number=which, session_id=ids, index=st.integers(-1, 4))
    def cut(self, number: int, session_id: str, index: int) -> None:
        """Revert to a message."""
        there = 0 <= index < len(self.messages.get(session_id, []))
        assert self.tree(number).revert_to_message(session_id, index) == there
        if there:
            del self.messages[session_id][index + 1 :]

    @rule(number=which, parent=ids, child=ids)
    def create(self, number: int, parent: str, child: str) -> None:
        """Create a child."""
        if parent not in self.messages or parent == child:
            return
        try:
            self.tree(number).create_session(child, parent_id=parent)
        except SessionExists:
            assert child in self.messages
            return
        assert child not in self.messages
        self.made(child)
        self.parent[child] = parent
        self.children.setdefault(parent, []).append(child)

    @rule(number=which, origin=ids)
    def fork(self, number: int, origin: str) -> None:
        """Fork a session that exists, and delete the fork's origin now and then."""
        if origin not in self.messages or len(self.messages) > 8:
            return
        fork = self.tree(number).fork_session(origin)
        self.made(fork)
        self.messages[fork] = list(self.messages[origin])
        self.metadata[fork] = dict(self.metadata[origin])
        self.agent[fork] = self.agent.get(origin)
        self.title[fork] = f"Fork of {self.title.get(origin) or origin}"
        self.parent[fork] = origin
        self.children.setdefault(origin, []).append(fork)

    @invariant()
    def every_store_reads_the_model(self) -> None:
        """What is read is what was written, by whichever store, and nothing else exists."""
        for store, session_id in zip(itertools.cycle(self.stores), [*self.messages, *IDS], strict=False):
            session = store.get_session(session_id)
            said = [(message.role, message.content) for message in session.messages]
            assert said == self.messages.get(session_id, [])
            assert session.metadata == self.metadata.get(session_id, {})
            assert session.agent_name == self.agent.get(session_id)
            assert store.session_exists(session_id) == (session_id in self.messages)
        listed = self.stores[0].list_sessions(None)
        assert {one["session_id"] for one in listed} == self.messages.keys()
        assert sorted(self.stores[1].list_sessions_by_agent("Ann")) == sorted(
            session_id for session_id, name in self.agent.items() if name == "Ann"
        )

    @invariant()
    def the_tree_is_the_models(self) -> None:
        """Children, parents, titles and snapshots are the model's."""
        for number, session_id in enumerate(self.messages):
            store = self.tree(number % 4)
            assert sorted(store.get_children(session_id)) == sorted(self.children.get(session_id, []))
            parent = self.parent.get(session_id)
            assert store.get_parent(session_id) == (parent if parent in self.messages else None)
            assert store.get_session(session_id).title == self.title.get(session_id)
            kept = {one.id: one.messages for one in store.get_snapshots(session_id)}
            assert kept.keys() == self.snapshots.get(session_id, {}).keys()

    @invariant()
    def the_directory_is_sound(self) -> None:
        """There is nothing that a person would want to know of."""
        assert verify(self.stores[0]) == verify(self.stores[1]) == ()


Sessions.TestCase.settings = settings(max_examples=scaled(25, 1000), stateful_step_count=scaled(20, 60))
TestSessions = Sessions.TestCase
