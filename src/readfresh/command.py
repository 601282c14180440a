"""``readfresh``: the command line for a directory of sessions.

1. What looks (`list`, `show`, `tail`, `tree`, `verify`, `export`) changes nothing in the directory, creates no file
   there, and takes no lock, so that no worker waits for it.
2. What writes (`rescue`, `import`, `fork`) makes one new session, says so, and never writes over one that exists.
3. Exit status: 0, done; 1, something is wrong, or the store refused, in its own words; 2, used wrongly.

It is built on click, which parses, and writes the help and the completion of shells.
What people see is made in `terminal`.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import click
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from readfresh.codec import NotASession, decode_object
from readfresh.damage import rescue, verify
from readfresh.default import SESSION_DIR_VARIABLE
from readfresh.disk import Disk, HeldLock, system_disk
from readfresh.errors import SessionExists, SessionNotFound, SessionStoreError
from readfresh.hierarchical import HierarchicalSessionStore
from readfresh.model import ExtendedSessionData, SessionMessage
from readfresh.names import check_id
from readfresh.terminal import compact, counted, draw, json_of, label, note, say, show_message, visible, when

__all__ = ["readfresh"]


class Refused(click.ClickException):
    """What ends a command with status 1; its text says what is wrong, and what to do next."""

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's signature
        """Print it to stderr."""
        note(self.message)


class Command(click.Command):
    """A command whose errors become what a person reads."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        # A listing shows what it would log, and the log would show it unescaped.
        logging.getLogger("readfresh").addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        except SessionStoreError as error:
            raise Refused(str(error)) from error
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from error
        except RecursionError:
            raise Refused("what is to be printed is nested too deeply for JSON. Run it without --json.") from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has seen enough; click ends with 1 and no word
                raise
            raise Refused(f"{error}.") from error


class Commands(click.Group):
    """The commands, in the order in which they are defined."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return their names."""
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="readfresh")
def readfresh() -> None:
    """Look at a directory of sessions; rescue, import and fork them.

    Nothing is changed but by rescue, import and fork, and these only add a session.

    Exit status: 0, done; 1, something is wrong, or the store refused; 2, used wrongly.
    """


id_argument = click.argument("session_id", metavar="ID")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
directory_option = click.option(
    "-d",
    "--directory",
    metavar="DIRECTORY",
    help=f"Where the sessions are. Default: what {SESSION_DIR_VARIABLE} names, else readfresh's place for the user.",
)


@readfresh.command("list")
@directory_option
@json_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the N newest. Default: all.")
def list_(directory: str | None, as_json: bool, limit: int | None) -> None:
    """List the sessions, the newest change first."""
    sessions = _standing(directory).list_sessions(limit)
    if as_json:
        click.echo(json_of(sessions))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("session", "agent", "changed", "messages", "status"):
        table.add_column(
            name, overflow="fold", no_wrap=name == "changed", justify="right" if name == "messages" else "left"
        )
    for each in sessions:
        status = each["status"] if each["status"] == "ok" else f"{each['status']}: {each['file']}"
        shown = (each["session_id"], each["agent_name"], when(each["updated_at"]), each["message_count"], status)
        table.add_row(*("" if cell is None else Text(visible(str(cell))) for cell in shown))
    draw(table)


@readfresh.command()
@id_argument
@directory_option
@json_option
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Only the N newest messages. Default: all.")
def show(session_id: str, directory: str | None, as_json: bool, limit: int | None) -> None:
    """Show a session and its messages.

    Before each message stands its index, which fork takes.
    """
    session = _existing(_looking(directory), session_id)
    first = 0 if limit is None else max(len(session.messages) - limit, 0)
    data = session.to_dict()
    if as_json:
        click.echo(json_of({**data, "messages": data["messages"][first:]}))
        return
    for name, value in data.items():
        if name in ("messages", "snapshots"):
            say(f"{name}: {len(value)}")
        elif value not in (None, False, {}, []):
            say(f"{name}: {value if isinstance(value, str) else compact(value)}")
    for index, message in enumerate(session.messages[first:], first):
        show_message(message, index)


@readfresh.command()
@id_argument
@directory_option
@json_option
@click.option("-f", "--follow", is_flag=True, help="Go on with each new message, until Ctrl+C.")
@click.option("-n", "count", type=click.IntRange(min=0), default=10, metavar="N", help="How many. Default: 10.")
@click.option(
    "--interval",
    type=click.FloatRange(0.01, 3600),
    default=1,
    metavar="SECONDS",
    help="Between two reads. Default: 1.",
)
def tail(session_id: str, directory: str | None, as_json: bool, follow: bool, count: int, interval: float) -> None:
    """Print the newest messages, and follow.

    With -f, the session is read anew at each interval, and may not exist yet. With --json, each message is a line.
    """
    store = _looking(directory)
    messages: tuple[SessionMessage, ...] = ()
    try:
        messages = _existing(store, session_id).messages
    except SessionNotFound:
        if not follow:
            raise
        note(f"waiting for the session {session_id!r}")
    new = messages[max(len(messages) - count, 0) :]
    try:
        while True:
            for message in new:
                if as_json:
                    click.echo(json_of(message.to_dict(), indent=None))
                else:
                    show_message(message)
            if not follow:
                return
            threading.Event().wait(interval)
            before, messages = Counter(messages), store.get_session(session_id).messages
            # New is what the last look has not seen, whatever was added, cleared, replaced or reverted since.
            new = tuple(message for message in messages if not _taken(before, message))
            if before.total():
                note(f"{counted(before.total(), 'message')} taken out")
    except KeyboardInterrupt:
        if not follow:
            raise


@readfresh.command()
@id_argument
@directory_option
@json_option
def tree(session_id: str, directory: str | None, as_json: bool) -> None:
    """Show a session with its children and forks."""
    store = _looking(directory)
    _existing(store, session_id)
    found = store.get_session_tree(session_id)
    if as_json:
        click.echo(json_of(found))
        return
    drawn = Tree(label(found))
    unfinished = [(drawn, found)]
    while unfinished:
        branch, node = unfinished.pop()
        unfinished += [(branch.add(label(child)), child) for child in node["children"]]
    draw(drawn)


@readfresh.command("verify")
@directory_option
@json_option
def verify_(directory: str | None, as_json: bool) -> None:
    """Say what is wrong in the directory.

    Every message of every session is looked at. While workers create sessions, look again before you act.
    """
    findings = verify(_standing(directory))
    if as_json:
        click.echo(json_of([dataclasses.asdict(one) for one in findings]))
    else:
        for line in [f"{one.kind}: {one.what}" for one in findings] or ["nothing is wrong"]:
            say(line)
    sys.exit(1 if findings else 0)


@readfresh.command("rescue")
@id_argument
@directory_option
@click.option("--to", "new_id", metavar="NEW_ID", help="The session to create. Default: ID-rescued.")
@click.option("--yes", is_flag=True, help="Create it, and do not ask.")
def rescue_(session_id: str, directory: str | None, new_id: str | None, yes: bool) -> None:
    """Copy what can be read of a damaged session.

    Shows what can be read, and what cannot. Copies it with --yes, or when you say yes on a terminal. The damaged
    session is not changed.
    """
    target = f"{session_id}-rescued" if new_id is None else new_id
    looking = _looking(directory)
    found = rescue(looking, session_id)
    for index, message in enumerate(found.session.messages):
        show_message(message, index)
    for sentence in found.left_out:
        note(sentence)
    if looking.session_exists(target):
        raise SessionExists("it exists already", session_id=target, next_step="Name another one with --to.")
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not yes
    if yes or (asks and click.confirm(visible(f"Copy this into the session {target!r}?"), err=True)):
        copied = rescue(HierarchicalSessionStore(directory), session_id, target)
        note(f"copied {counted(len(copied.session.messages), 'message')} into the session {target!r}")
    else:
        note(f"nothing was written; --yes copies this into the session {target!r}")


@readfresh.command()
@id_argument
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
@directory_option
def export(session_id: str, file: str, directory: str | None) -> None:
    """Write a session as JSON to a new FILE.

    Without FILE, to stdout. Everything is in it, unknown fields and snapshots too.
    """
    data = _looking(directory).export_session(session_id)
    content = json_of(data)
    if file == "-":
        click.echo(content)
        return
    try:
        # Private, as the session's own file is; never over a file that is there.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused(f"{file!r} exists already. Nothing was written. Choose another name.") from None
    try:
        with open(descriptor, "w", encoding="utf-8") as out:
            out.write(content + "\n")
    except BaseException:
        with suppress(OSError):  # half a file would pass for a backup
            os.unlink(file)
        raise
    note(f"exported {counted(len(data['messages']), 'message')} of {session_id!r} to {file!r}")


@readfresh.command("import")
@click.argument("file", type=click.File("rb"))
@directory_option
@click.option("--id", "new_id", metavar="NEW_ID", help="The id of the session. Default: a new one.")
def import_(file: IO[bytes], directory: str | None, new_id: str | None) -> None:
    """Create a session from an exported FILE.

    A session file will do, PraisonAI's too; - reads stdin. Prints the id. The session has no parent and no children.
    """
    if new_id is not None:
        check_id(new_id, "--id")
    store = HierarchicalSessionStore(directory)
    try:
        created = store.import_session(decode_object(file.read()), new_id)
    except (NotASession, TypeError, ValueError) as error:  # its content is wrong, not the command
        raise Refused(f"{file.name!r}: {error}. Nothing was written.") from error
    note(f"imported {file.name!r} as")
    say(created)


@readfresh.command()
@id_argument
@directory_option
@click.option("--at", "index", type=int, metavar="INDEX", help="The last message to take. Default: take all.")
@click.option("--title", help="A name for people. Default: Fork of ID.")
def fork(session_id: str, directory: str | None, index: int | None, title: str | None) -> None:
    """Create a child with the messages of a session.

    With --at, with those up to INDEX. Prints the id.
    """
    created = HierarchicalSessionStore(directory).fork_session(session_id, index, title)
    note(f"forked {session_id!r} as")
    say(created)


def _looking(directory: str | None) -> HierarchicalSessionStore:
    """Return a store whose reads leave no trace and hold nobody up.

    In a directory that cannot be written a store reads without a lock, and sees a session whole all the same.
    """
    kind: Any = type(system_disk())

    class ReadOnly(kind):  # type: ignore[misc] # which it is, is known when it runs
        @contextmanager
        def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:  # noqa: ARG002
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            yield

    disk: Disk = ReadOnly()
    return HierarchicalSessionStore(directory, disk=disk)


def _standing(directory: str | None) -> HierarchicalSessionStore:
    """Return a store of a directory that is there: that nothing is wrong in one that is not would mislead."""
    store = _looking(directory)
    if not os.path.isdir(store.session_dir):
        where = f"there is no directory {store.session_dir!r}"
        raise click.UsageError(f"{where}; name one with --directory, or with {SESSION_DIR_VARIABLE}")
    return store


def _existing(store: HierarchicalSessionStore, session_id: str) -> ExtendedSessionData:
    session = store.get_session(session_id)
    if session.created_at is None and not store.session_exists(session_id):
        next_step = "`readfresh list` gives those that do."
        raise SessionNotFound("it does not exist", session_id=session_id, next_step=next_step)
    return session


def _taken(messages: Counter[SessionMessage], message: SessionMessage) -> bool:
    """Take a message out, and return whether it was there."""
    there = messages[message] > 0
    messages[message] -= there
    return there
