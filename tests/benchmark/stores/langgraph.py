"""LangGraph: the state of a graph of messages, in a `SqliteSaver`; each append is a checkpoint."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

from tests.benchmark.stores import PATIENCE_SECONDS


class Threads:
    """The threads of one graph, with one node that answers nothing."""

    def __init__(self, place: str) -> None:
        graph = StateGraph(MessagesState)
        graph.add_node("listen", lambda _state: {})
        graph.add_edge(START, "listen")
        graph.add_edge("listen", END)
        base = sqlite3.connect(f"{place}/checkpoints.db", check_same_thread=False, timeout=PATIENCE_SECONDS)
        self._graph = graph.compile(checkpointer=SqliteSaver(base))

    def append(self, session_id: str, text: str) -> None:
        """Update the state by a message."""
        self.fill(session_id, [text])

    def read(self, session_id: str) -> Any:
        """Return the messages of the newest state."""
        return self._graph.get_state({"configurable": {"thread_id": session_id}}).values["messages"]

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message.content for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Update the state by many messages."""
        update = {"messages": [HumanMessage(text) for text in texts]}
        self._graph.update_state({"configurable": {"thread_id": session_id}}, update, as_node="listen")
