"""One floor up, fixed: an agent says what to change, and the store changes the
newest state.
"""

from readfresh import DefaultSessionStore, SessionData

store = DefaultSessionStore("chats")


class Agent:
    """Keep an agent's state with its session."""

    def begin(self) -> None:
        """Get the session, and begin a turn."""
        self.session = store.get_session("trip")

    def end(self, turns: int) -> None:
        """Keep the state at the end of the turn."""

        def change(newest: SessionData) -> SessionData:
            return newest.with_metadata({"turns": turns})

        store.update("trip", change)


def test_a_turn_alone() -> None:
    """Keep the state while nobody else is there."""
    store.set_chat_history("trip", [{"role": "user", "content": "Hi."}])
    agent = Agent()
    agent.begin()
    agent.end(turns=1)
    session = store.get_session("trip")
    assert (len(session.messages), session.metadata["turns"]) == (1, 1)


def test_a_message_during_the_turn() -> None:
    """Keep the state after the gateway has added a message."""
    store.set_chat_history("trip", [{"role": "user", "content": "Hi."}])
    agent = Agent()
    agent.begin()
    store.add_user_message("trip", "Are you there?")
    agent.end(turns=1)
    left = len(store.get_chat_history("trip"))
    assert left == 2, f"{left} of 2 messages is left"


for test in (test_a_turn_alone, test_a_message_during_the_turn):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
