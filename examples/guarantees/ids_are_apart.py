"""Two sessions with different ids never share data, and no id reaches outside
the session directory.

Ids that a file system would mix up, or take for a path, are told apart by
encoding them into the file name.
"""

from pathlib import Path

from readfresh import DefaultSessionStore, SessionMismatch

store = DefaultSessionStore("chats")
ids = [
    "a_b",
    "a/b",
    "a b",
    "../a",
    "..",
    ".hidden",
    "Olá",
    "x" * 300,
    "x" * 299 + "y",
]
for session_id in ids:
    store.add_user_message(session_id, f"I am {session_id}")

for session_id in ids:
    assert store.get_chat_history(session_id) == [
        {"role": "user", "content": f"I am {session_id}"}
    ]
assert {entry["session_id"] for entry in store.list_sessions()} == set(ids)

for path in sorted(Path("chats").glob("*.json")):
    print(path.name if len(path.name) < 40 else path.name[:20] + "...")
print(
    "outside:",
    [
        path.name
        for path in Path().iterdir()
        if path.name not in ("chats", Path(__file__).name)
    ],
)

# What a case-insensitive disk does to "Trip" and "trip",
# or what PraisonAI does to "c/d" and "c_d".
Path("chats/a_b.json").replace("chats/c_d.json")
try:
    store.get_chat_history("c_d")
except SessionMismatch as error:
    print("c_d:", error.cause)
