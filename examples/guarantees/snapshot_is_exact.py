"""Reverting to a snapshot brings back exactly the messages it was taken of,
whatever happened since: more messages, trimming, clearing, replacing, other
reverts.

After each of these the program reverts, and compares the messages, timestamps
and metadata included.
"""

from readfresh import DefaultSessionStore, HierarchicalSessionStore

tree = HierarchicalSessionStore("chats")
tree.add_user_message("trip", "Where to?", metadata={"lang": "en"})
tree.add_assistant_message("trip", "Porto it is.")
taken_of = tree.get_session("trip").messages
snapshot = tree.create_snapshot("trip", label="decided")

tree.add_user_message("trip", "Or Lisbon?")
print(
    "more messages:",
    tree.revert_to_snapshot("trip", snapshot),
    tree.get_session("trip").messages == taken_of,
)

trimming = DefaultSessionStore("chats", max_messages=1)
trimming.add_user_message("trip", "Only this is left.")
print(
    "trimming:",
    tree.revert_to_snapshot("trip", snapshot),
    tree.get_session("trip").messages == taken_of,
)

tree.clear_session("trip")
print(
    "clearing:",
    tree.revert_to_snapshot("trip", snapshot),
    tree.get_session("trip").messages == taken_of,
)

tree.set_chat_history("trip", [{"role": "system", "content": "A summary."}])
replaced = tree.create_snapshot("trip", label="summary")
print(
    "replacing:",
    tree.revert_to_snapshot("trip", snapshot),
    tree.get_session("trip").messages == taken_of,
)

tree.revert_to_snapshot("trip", replaced)
tree.revert_to_message("trip", 0)
print(
    "other reverts:",
    tree.revert_to_snapshot("trip", snapshot),
    tree.get_session("trip").messages == taken_of,
)

print("unknown snapshot:", tree.revert_to_snapshot("trip", "no-such-id"))
