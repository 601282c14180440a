"""PostgreSQL and Redis, configured to lose nothing that they have confirmed."""

from __future__ import annotations

import signal

from tests.servers.binaries import find_postgresql, find_redis
from tests.servers.databases import make_database
from tests.servers.server import Server


class PostgresServer(Server):
    """A PostgreSQL cluster that listens on a Unix socket in its own folder, where nobody else can reach it.

    It confirms a commit when the disk has it, and notices a deadlock after 0.1 s.
    """

    name = "postgresql"
    variable = "POSTGRESQL_URL"
    stop_signal = signal.SIGINT  # ends the open connections first; SIGTERM would wait for them

    def prepare(self) -> None:
        """Make a cluster, whose superuser needs no password."""
        self._binaries = find_postgresql()
        command = [str(self._binaries / "initdb"), f"--pgdata={self.folder}/data", "--username=readfresh"]
        # No locale: its messages are in English, and its order of texts is that of Python.
        self.tell("run", command=[*command, "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync"])

    def command(self) -> list[str]:
        """Return the command of the server."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "deadlock_timeout": "100ms",
            "shared_buffers": "32MB",
            # Segments in the folder, so that a killed server leaves none elsewhere.
            "dynamic_shared_memory_type": "mmap",
            "TimeZone": "UTC",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._binaries / "postgres"), "-D", f"{self.folder}/data", *options]

    @property
    def url(self) -> str:
        """The database `postgres`, as SQLAlchemy names it."""
        return f"postgresql+psycopg://readfresh@/postgres?host={self.folder}"

    def new_database(self) -> str:
        """Make an empty database, and return its URL. It is there until the server is closed."""
        return make_database(self.url)


class RedisServer(Server):
    """A Redis that listens on a Unix socket in its own folder, and confirms a write when the disk has it."""

    name = "redis"
    variable = "REDIS_URL"

    def prepare(self) -> None:
        """Redis needs nothing."""
        self._program = find_redis()

    def command(self) -> list[str]:
        """Return the command of the server."""
        settings = {
            "port": "0",
            "unixsocket": f"{self.folder}/redis.sock",
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "databases": "1000",  # one for each worker of xdist, however many there are
        }
        return [str(self._program), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    @property
    def url(self) -> str:
        """Database 0, as redis-py names it."""
        return f"unix://{self.folder}/redis.sock?db=0"
