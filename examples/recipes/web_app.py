"""An ASGI app: POST adds a message to a session, GET counts its messages."""

import asyncio
import json
import os
from typing import Any

from readfresh import DefaultSessionStore, LockTimeout

store = DefaultSessionStore("chats", lock_timeout=30)


def answer(method: str, session_id: str, body: str) -> dict[str, int]:
    """Do what the request asks for, and say who has done it."""
    if method == "POST":
        store.add_user_message(session_id, body)
    messages = len(store.get_chat_history(session_id))
    return {"worker": os.getpid(), "messages": messages}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer one request; its path names the session."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    call = (scope["method"], scope["path"][1:], body.decode())
    said: object
    try:
        # A store waits for a lock and for the disk: not in the event loop.
        status, said = 200, await asyncio.to_thread(answer, *call)
    except LockTimeout as error:
        # Nothing was written: the client may send it again.
        status, said = 503, {"cause": error.cause}
    content = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json")]
    headers += [(b"content-length", str(len(content)).encode())]
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": content})
