"""Chat-session stores for agents, bots and their workers, which share one directory or one database.

Read the source in this order; a module imports only what stands above it.

- `errors`: what can go wrong, and what to do next
- `values`: JSON values that cannot change
- `names`: session ids to file names
- `codec`: a session to the bytes of its file
- `model`: messages and sessions
- `pins`: what is kept of sessions, and how one look proves that it is fresh
- `waiting`: for a lock that another process holds
- `disk`: the seam to the file system (`disk_windows` on Windows)
- `storage`: the contract between stores and the places where sessions are kept
- `files`: sessions in a directory: lock, read, replace
- `store`: the generic store: fresh reads, and one way to write
- `protocols`: what a caller may rely on
- `chat`: chat verbs
- `default`: the store over a directory
- `hierarchical`: forks, snapshots and trees
- `disk_sqlite`: which SQLite file stands at a path, and the end of a log whose file no longer does
- `dialects`: what SQLite and PostgreSQL do differently
- `database`: the store over a database
- `damage`: the way out of a damaged file, and the inspection of a directory
- `move`: from a directory into a database, while workers run
- `respond`: any callable as a model
- `turns`: what a user says and what answers it, as a session holds it
- `answers`: a turn, kept by appends while a model answers
- `bots`: a history for each user of a bot
- `agents`: an agent whose turns and state outlive its process
- `conformance`: every guarantee as a check that runs over any store
- `terminal`: what the command line prints
- `command`: the command line for a directory of sessions
- `__main__`: the start of the command line, which says what it needs
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from readfresh.chat import ChatStore
from readfresh.default import DefaultSessionStore, default_session_dir, get_default_session_store
from readfresh.errors import (
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SchemaMismatch,
    SessionDamaged,
    SessionExists,
    SessionMismatch,
    SessionMoved,
    SessionNotFound,
    SessionStoreError,
    SessionTooNew,
    StoreMisused,
    WriteFailed,
)
from readfresh.hierarchical import HierarchicalSessionStore, get_hierarchical_session_store
from readfresh.model import ExtendedSessionData, SessionData, SessionMessage, SessionSnapshot
from readfresh.protocols import HistoryStoreProtocol, SessionStoreProtocol

if TYPE_CHECKING:
    from readfresh.agents import LocalManagedAgent
    from readfresh.answers import AnswerStream
    from readfresh.bots import BotSessionManager
    from readfresh.damage import Finding, Rescued, rescue, verify
    from readfresh.database import DbSessionAdapter
    from readfresh.respond import Usage
    from readfresh.turns import Turn, turns_of

__version__ = "0.1.0"

__all__ = [
    "AnswerStream",
    "BotSessionManager",
    "ChatStore",
    "DbSessionAdapter",
    "DefaultSessionStore",
    "ExtendedSessionData",
    "Finding",
    "HierarchicalSessionStore",
    "HistoryStoreProtocol",
    "LocalManagedAgent",
    "LockTimeout",
    "OutcomeUnknown",
    "ReadFailed",
    "Rescued",
    "SchemaMismatch",
    "SessionDamaged",
    "SessionData",
    "SessionExists",
    "SessionMessage",
    "SessionMismatch",
    "SessionMoved",
    "SessionNotFound",
    "SessionSnapshot",
    "SessionStoreError",
    "SessionStoreProtocol",
    "SessionTooNew",
    "StoreMisused",
    "Turn",
    "Usage",
    "WriteFailed",
    "default_session_dir",
    "get_default_session_store",
    "get_hierarchical_session_store",
    "rescue",
    "turns_of",
    "verify",
]

# A star import asks for each name, and is not to fail for what is not installed.
if not TYPE_CHECKING and find_spec("sqlalchemy") is None:
    __all__.remove("DbSessionAdapter")


_LATER = {
    "AnswerStream": "answers",
    "BotSessionManager": "bots",
    "Finding": "damage",
    "LocalManagedAgent": "agents",
    "Rescued": "damage",
    "Turn": "turns",
    "Usage": "respond",
    "rescue": "damage",
    "turns_of": "turns",
    "verify": "damage",
}
"""What a program that only keeps sessions does without, asyncio with it, and where it stands."""


def __getattr__(name: str) -> object:
    """Import what needs an extra, or takes long to import, when it is first asked for."""
    if name in _LATER:
        return getattr(import_module(f"readfresh.{_LATER[name]}"), name)
    if name == "DbSessionAdapter":
        try:
            from readfresh.database import DbSessionAdapter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error}; databases need SQLAlchemy: pip install 'readfresh[database]'", name=error.name
            ) from None
        return DbSessionAdapter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
