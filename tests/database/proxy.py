"""A TCP proxy before a PostgreSQL server, which cuts the connection where a commit passes."""

from __future__ import annotations

import selectors
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import sqlalchemy as sa

COMMIT = b"Q\0\0\0\x0bCOMMIT\0"  # the message of a simple query, as PostgreSQL's "Message Formats" has it


class Proxy:
    """Passes everything on, until a commit comes while `cut` is set.

    Attributes:
        cut: ``"before"`` cuts without passing the commit on; ``"after"`` passes it on, waits for the server's answer,
            and cuts instead of giving it; None passes all on.
        cuts: how many there were.
    """

    def __init__(self, url: str) -> None:
        self.cut: Literal["before", "after"] | None = None
        self.cuts = 0
        self._target = sa.make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """The URL of the database, through the proxy."""
        query = {name: value for name, value in self._target.query.items() if name != "host"}
        url = self._target.set(host="127.0.0.1", port=self._listener.getsockname()[1], query=query)
        return url.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _server(self) -> socket.socket:
        folder = self._target.query.get("host")
        port = self._target.port or 5432
        if not folder:
            return socket.create_connection((self._target.host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(str(folder)) / f".s.PGSQL.{port}"))
        return server

    def _pass_on(self, client: socket.socket) -> None:
        with client, self._server() as server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client and self.cut and COMMIT in data:
                        if self.cut == "after":
                            server.sendall(data)
                            server.recv(65536)  # the server has committed
                        self.cut = None
                        self.cuts += 1
                        return
                    (server if source is client else client).sendall(data)
