"""A parent never lists a child that does not exist, a child that has been
created or forked is listed by its parent until it is deleted, and a deleted
parent is not brought back by a child.

A trip is planned in a tree of sessions; children are deleted, by a plain store
too, and then the root is.
"""

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    SessionNotFound,
    verify,
)

names = iter(["porto-or-lisbon"])
tree = HierarchicalSessionStore("chats", new_id=lambda: next(names))

tree.create_session("trip", title="Trip")
tree.add_user_message("trip", "Where to?")
tree.create_session("hotels", parent_id="trip")
tree.create_session("trains", parent_id="trip")
fork = tree.fork_session("trip", from_message_index=0)
print("children:", tree.get_children("trip"))

tree.delete_session("hotels")
DefaultSessionStore("chats").delete_session("trains")
print("after deleting two:", tree.get_children("trip"))

tree.create_session("hotels")
print("a new session of that name is no child:", tree.get_children("trip"))

tree.delete_session("trip")
tree.add_user_message(fork, "Lisbon, then.")
print("the root is back:", tree.session_exists("trip"))
print(
    "the fork's parent:",
    tree.get_parent(fork),
    "- its origin:",
    tree.get_session(fork).parent_id,
)

try:
    tree.create_session("museums", parent_id="trip")
except SessionNotFound as error:
    print(
        "a child of the deleted root:",
        type(error).__name__,
        tree.session_exists("museums"),
    )
print("findings:", verify(tree))
