"""Turns that overlap in any order are what a list of turns says they are."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import AnswerStream, DefaultSessionStore, LocalManagedAgent
from tests.agents.support import kept, run

ENDINGS = ("answered", "failed", "stopped")


@dataclass
class Plan:
    """What one turn is going to do, and has done."""

    number: int
    words: list[str]
    ending: str
    given: list[str] = field(default_factory=list)
    said: str = ""
    status: str = "unanswered"

    async def model(self, messages: list[dict[str, Any]]) -> AsyncIterator[str]:
        """Say the words, and end or fail."""
        self.given = [message["content"] for message in messages]
        for word in self.words:
            yield word
        if self.ending == "failed":
            raise ConnectionError("hung up")

    async def step(self, stream: AnswerStream) -> None:
        """Take one piece, or come to the end."""
        if self.ending == "stopped" and self.said == "".join(self.words):
            await stream.aclose()
            self.status = "stopped"
            return
        try:
            self.said += await anext(stream)
        except (StopAsyncIteration, ConnectionError):
            self.status = self.ending


plans = st.lists(
    st.tuples(st.lists(st.sampled_from(["a", "b "]), min_size=1, max_size=2), st.sampled_from(ENDINGS)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(plans, st.data())
def test_turns_that_overlap_in_any_order(planned: list[tuple[list[str], str]], data: st.DataObject) -> None:
    """Whatever order the pieces of several turns come in, each turn has its own messages and each model what was kept.

    A turn stands where its prompt was added, and what it has said is there when it has ended.
    """
    turns = [Plan(number, words, ending) for number, (words, ending) in enumerate(planned)]
    begun: list[Plan] = []

    async def main(folder: str) -> None:
        store = DefaultSessionStore(folder, durability="process")
        streams = [LocalManagedAgent(turn.model, store, "trip").stream(f"prompt {turn.number}") for turn in turns]
        open_turns = list(turns)
        while open_turns:
            turn = data.draw(st.sampled_from(open_turns))
            if turn not in begun:
                seen = [
                    content
                    for before in begun
                    for content in (f"prompt {before.number}", before.said if before.status != "unanswered" else "")
                    if content
                ]
                begun.append(turn)
                await turn.step(streams[turn.number])
                assert turn.given == [*seen, f"prompt {turn.number}"]
            else:
                await turn.step(streams[turn.number])
            if turn.status != "unanswered":
                open_turns.remove(turn)
        assert kept(store, "trip") == [(turn.status, f"prompt {turn.number}", turn.said) for turn in begun]
        assert len(store.get_chat_history("trip")) == 2 * len(begun)

    with tempfile.TemporaryDirectory() as folder:
        run(main(folder))
