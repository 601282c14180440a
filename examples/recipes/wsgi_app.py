"""A WSGI app: POST adds a message to a session, GET counts its messages."""

import json
import os
from collections.abc import Iterable
from typing import Any

from readfresh import DefaultSessionStore, LockTimeout

store = DefaultSessionStore("chats", lock_timeout=30)


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request; its path names the session."""
    session_id = environ["PATH_INFO"][1:]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    said: object
    try:
        if environ["REQUEST_METHOD"] == "POST":
            store.add_user_message(session_id, body.decode())
        messages = len(store.get_chat_history(session_id))
        status, said = "200 OK", {"worker": os.getpid(), "messages": messages}
    except LockTimeout as error:
        # Nothing was written: the client may send it again.
        status, said = "503 Service Unavailable", {"cause": error.cause}
    content = json.dumps(said).encode()
    headers = [("Content-Type", "application/json")]
    start_response(status, [*headers, ("Content-Length", str(len(content)))])
    return [content]
