"""The servers of the tests: real, durable, killable, and gone afterwards, whatever became of the test."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import IO

import psycopg
import pytest
import redis

from tests.full_grid import sample
from tests.servers import binaries
from tests.servers.binaries import Missing, find_postgresql, find_redis
from tests.servers.databases import fresh_database, fresh_keys
from tests.servers.given import url_of
from tests.servers.keeper import descendants, unprivileged
from tests.servers.own import PostgresServer, RedisServer
from tests.servers.server import Server, ServerFailed

ROOT = Path(__file__).resolve().parents[2]
KINDS: dict[str, type[Server]] = {kind.name: kind for kind in (PostgresServer, RedisServer)}


def connected(url: str) -> psycopg.Connection:
    """Connect to a PostgreSQL server."""
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def is_alive(process: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for does not."""
    stat = Path(f"/proc/{process}/stat")
    if Path("/proc/self/stat").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def put(server: Server) -> None:
    """Write something that the server confirms."""
    if isinstance(server, PostgresServer):
        with connected(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'Porto' AS town")
    else:
        with redis.Redis.from_url(server.url) as client:
            client.set("town", "Porto")


def got(server: Server) -> str:
    """Read it."""
    if isinstance(server, PostgresServer):
        with connected(server.url) as connection:
            row = connection.execute("SELECT town FROM kept").fetchone()
            return str(row and row[0])
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return str(client.get("town"))


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """Give a server of the test's own."""
    found: Server = request.getfixturevalue(request.param)
    return found


both = pytest.mark.parametrize("server", ["own_postgresql", "own_redis"], indirect=True)


@both
def test_what_was_confirmed_outlives_a_crash(server: Server) -> None:
    """A killed server is away at once, and has everything that it confirmed when it is started again."""
    put(server)
    server.kill()
    with pytest.raises((psycopg.OperationalError, redis.ConnectionError)):
        got(server)
    server.start()
    assert got(server) == "Porto"
    server.restart()
    assert got(server) == "Porto"


@both
def test_a_crash_takes_every_process(server: Server) -> None:
    """No process of a killed server is left, not even one in the middle of a query."""
    with ExitStack() as stack:
        if isinstance(server, PostgresServer):
            busy = stack.enter_context(connected(server.url))
            asking = Thread(target=asked_to_wait, args=(busy,))
            asking.start()
            stack.callback(asking.join)
        processes = descendants(server.keeper)
        assert len(processes) > (3 if isinstance(server, PostgresServer) else 0)
        server.kill()
    assert [process for process in processes if is_alive(process)] == []


def asked_to_wait(connection: psycopg.Connection) -> None:
    """Ask for what takes longer than the server lives."""
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pg_sleep(600)")


@both
def test_nothing_is_left(server: Server) -> None:
    """After `close` neither a process nor the folder is there, running or killed before."""
    processes = [server.keeper, *descendants(server.keeper)]
    server.close()
    assert not server.folder.exists()
    assert [process for process in processes if is_alive(process)] == []
    server.close()


def test_a_killed_server_leaves_no_shared_memory(own_postgresql: PostgresServer) -> None:
    """The segment that PostgreSQL keeps as a lock is gone after a crash, though no start follows."""
    segment = (own_postgresql.folder / "data/postmaster.pid").read_text().splitlines()[6].split()[1]

    def segments() -> list[str]:
        return subprocess.run(["ipcs", "-m"], capture_output=True, text=True, check=True).stdout.split()

    assert segment in segments()
    own_postgresql.kill()
    assert segment not in segments()


STARTS = """
import signal, sys
from tests.servers.own import PostgresServer, RedisServer
from tests.servers.keeper import descendants
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background has been started to ignore it
server = {kind}().start()
{then}
print(server.folder, *descendants(server.keeper), flush=True)
signal.pause()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
@pytest.mark.parametrize("then", sample(["", "server.kill()"], 2), ids=sample(["running", "killed"], 2))
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_server_ends_with_its_test_process(kind: type[Server], then: str, how: signal.Signals) -> None:
    """When the test process dies, its server and the folder go with it."""
    needed(kind)
    code = STARTS.format(kind=kind.__name__, then=then)
    # The keeper has the stderr of the process that started it, so the end of that pipe is the keeper's end too.
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stderr
        folder, *processes = process.stdout.readline().split()
        assert Path(folder).is_dir()
        os.killpg(process.pid, how)
        said = to_its_end(process.stderr)
    assert not Path(folder).exists(), said
    assert [process for process in map(int, processes) if is_alive(process)] == []


def to_its_end(pipe: IO[str]) -> str:
    """Return what comes through a pipe until all who write to it have ended; fail if that takes too long."""
    read, until = b"", time.monotonic() + 30
    while select.select([pipe], [], [], max(0, until - time.monotonic()))[0]:
        part = os.read(pipe.fileno(), 65536)
        if not part:
            return read.decode()
        read += part
    pytest.fail(f"somebody still holds the pipe after 30 s; it said: {read.decode()}")


def needed(kind: type[Server]) -> None:
    """Skip where this kind of server is not installed."""
    try:
        find_postgresql() if kind is PostgresServer else find_redis()
    except Missing as missing:
        pytest.skip(str(missing))


def run_tests(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests in a process of its own."""
    (folder / "test_module.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "tests.servers.fixtures", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


@both
def test_a_failing_test_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """A server of its own and a shared one are closed when the test that used them has failed."""
    kind = server.name
    code = f"""
from tests.servers import given
def test_it(own_{kind}, {kind}_url):
    folders = [own_{kind}.folder, *[server.folder for server in given._running.values()]]
    open({str(tmp_path / "folders")!r}, "w").write("\\n".join(map(str, folders)))
    assert not folders
"""
    done = run_tests(tmp_path, code, POSTGRESQL_URL="", REDIS_URL="")
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    folders = (tmp_path / "folders").read_text().split()
    assert len(folders) == 2
    assert not any(Path(folder).exists() for folder in folders)


@both
def test_the_environment_names_another_server(server: Server, tmp_path: Path) -> None:
    """Tests use the server that the environment names, and leave it as it was."""
    code = f"""
from tests.servers import given
def test_it({server.name}_url):
    assert {server.folder.name!r} in {server.name}_url
    assert not given._running
"""
    before = databases(server)
    done = run_tests(tmp_path, code, **{server.variable: server.url})
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert databases(server) == before


def databases(server: Server) -> list[str]:
    """Return the databases of a server."""
    if isinstance(server, PostgresServer):
        with connected(server.url) as connection:
            return [row[0] for row in connection.execute("SELECT datname FROM pg_database ORDER BY 1")]
    with redis.Redis.from_url(server.url) as client:
        return sorted(client.info("keyspace"))


def test_a_missing_server_says_how_to_get_one(tmp_path: Path) -> None:
    """Without a server its tests are skipped, and say what to install or to set."""
    code = """
import pathlib
from tests.servers import binaries
binaries._postgresql_folders = lambda: []
binaries.shutil.which = lambda name: None
def test_shared_postgresql(postgresql_url): pass
def test_shared_redis(redis_url): pass
def test_own_postgresql(own_postgresql): pass
def test_own_redis(own_redis): pass
"""
    done = run_tests(tmp_path, code, POSTGRESQL_URL="", REDIS_URL="")
    assert "4 skipped" in done.stdout, done.stdout + done.stderr
    assert "no PostgreSQL server was found. Install one (Debian: sudo apt install postgresql)" in done.stdout
    assert "no Redis server was found. Install one (Debian: sudo apt install redis-server)" in done.stdout


@pytest.mark.parametrize("name", [".ci/run", "README.md", "CONTRIBUTING.md", "dev.py"])
def test_everybody_is_told_the_same(name: str) -> None:
    """The packages that a skipped test names are those that CI installs and that people read of."""
    said = (ROOT / name).read_text("utf-8")
    for how in (binaries.HOW_TO_GET_POSTGRESQL, binaries.HOW_TO_GET_REDIS):
        package = how.partition("apt install ")[2].partition(")")[0]
        assert re.search(rf"apt(-get)? install [^\n]*\b{package}\b", said), package


def test_postgresql_is_found_off_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without the server is passed over: `pg_config` comes with the client too."""
    folders = [tmp_path / "client", tmp_path / "server"]
    for folder, program in ((folders[0], "psql"), (folders[1], "initdb"), (folders[1], "postgres")):
        folder.mkdir(exist_ok=True)
        (folder / program).touch()
    monkeypatch.setattr(binaries, "_postgresql_folders", lambda: folders)
    assert find_postgresql() == folders[1]


def test_a_server_that_does_not_start_is_quoted(
    own_postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server said before it gave up is in the error, and it can be started again."""
    own_postgresql.stop()
    command = own_postgresql.command()
    monkeypatch.setattr(own_postgresql, "command", lambda: [*command, "--shared_buffers=1"])
    with pytest.raises(ServerFailed, match="ended with 1") as failed:
        own_postgresql.start()
    assert "shared_buffers" in str(failed.value)
    monkeypatch.undo()
    own_postgresql.start()


def test_a_server_that_is_never_ready_is_ended(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not say that it is ready within the time is killed, and quoted."""
    own_redis.stop()
    monkeypatch.setattr("tests.servers.server.SECONDS_TO_START", 0.2)
    monkeypatch.setattr(own_redis, "ready", "never said")
    with pytest.raises(ServerFailed, match=r"not ready after 0\.2 s") as failed:
        own_redis.start()
    assert "Redis" in str(failed.value)
    assert descendants(own_redis.keeper) == []


@both
def test_orders_out_of_turn_are_refused(server: Server) -> None:
    """A server that runs is not started again, and one that does not run is neither stopped nor killed."""
    with pytest.raises(ServerFailed, match="runs already"):
        server.start()
    server.stop()
    for order in (server.stop, server.kill):
        with pytest.raises(ServerFailed, match="does not run"):
            order()


@both
def test_a_forked_child_has_no_say(server: Server) -> None:
    """A child that is forked uses the URL; it can neither order nor close the server, and ending does it no harm."""
    put(server)
    child = os.fork()
    if child == 0:
        wrong = 1
        try:
            server.close()
            with pytest.raises(ServerFailed):
                server.kill()
            wrong = 0 if got(server) == "Porto" else 1
        finally:
            os._exit(wrong)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert got(server) == "Porto"


def test_a_child_that_lives_on_does_not_keep_a_server() -> None:
    """A forked child that outlives the test process does not keep the server's pipe open."""
    needed(RedisServer)
    then = "import os; child = os.fork(); child or (os.close(2), signal.pause())"
    code = STARTS.format(kind="RedisServer", then=then).replace("print(", "print(child, ")
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        child, folder, *_ = process.stdout.readline().split()
        try:
            process.kill()
            said = to_its_end(process.stderr)
            assert is_alive(int(child))
            assert not Path(folder).exists(), said
        finally:
            os.kill(int(child), signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a server as somebody else")
@both
def test_root_runs_no_server(server: Server) -> None:
    """Where the tests run as root, the server runs as a user without privileges, and its folder is that user's."""
    user = unprivileged()
    assert user
    assert user.pw_uid != 0
    assert server.folder.stat().st_uid == user.pw_uid
    owners = {Path(f"/proc/{process}").stat().st_uid for process in descendants(server.keeper)}
    assert owners == {user.pw_uid}


def test_servers_lose_nothing_they_confirm(own_postgresql: PostgresServer, own_redis: RedisServer) -> None:
    """Both write to the disk before they confirm, and PostgreSQL notices a deadlock soon."""
    with connected(own_postgresql.url) as connection:
        names = ("fsync", "synchronous_commit", "full_page_writes", "deadlock_timeout", "listen_addresses")
        shown = [row[0] for name in names for row in connection.execute(f"SHOW {name}")]
    assert shown == ["on", "on", "on", "100ms", ""]
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        shown = [client.config_get(name)[name] for name in ("appendonly", "appendfsync", "port")]
    assert shown == ["yes", "always", "0"]


def test_each_database_is_fresh() -> None:
    """Two databases of one server know nothing of each other, and each is gone when it is no longer needed."""
    server = url_of(PostgresServer)
    with fresh_database(server) as one, fresh_database(server) as other:
        assert one != other
        with connected(one) as connection:
            connection.execute("CREATE TABLE kept ()")
        with connected(other) as connection:
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connected(one)


def test_a_database_can_be_used_until_the_server_ends(own_postgresql: PostgresServer) -> None:
    """`new_database` gives the URL of an empty database."""
    with connected(own_postgresql.new_database()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)


def test_keys_of_others_are_not_touched(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of xdist has a database of its own, which is emptied; one that holds keys is left alone."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
    with fresh_keys(own_redis.url) as url, redis.Redis.from_url(url) as client:
        assert client.connection_pool.connection_kwargs["db"] == 3
        client.set("a", 1)
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 0
        client.set("somebody's", 1)
        with pytest.raises(RuntimeError, match=r"database 3 .* holds keys"), fresh_keys(own_redis.url):
            pass
        assert client.dbsize() == 1
