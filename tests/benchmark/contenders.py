"""Who takes part: our stores, other people's and the floor, each with what its append promises when it returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

Kind = Literal["ours", "peer", "floor"]
Durability = Literal["power", "process"]


@dataclass(frozen=True)
class Contender:
    """A store that is measured.

    Args:
        key: its name in results.json and on the command line.
        name: its name on the page.
        durability: what a message outlives that was appended: the loss of power, or the death of its process.
            A database at its own settings is ``power``: SQLite and PostgreSQL flush each commit.
        factory: makes a store object; the module is imported in the environment of its package.
        kind: whose it is.
        peer: the folder of `tests/peers` whose environment it needs; empty for ours.
        package: the distribution whose version is shown; empty for the standard library.
        imports: what its users import, for the time that takes.
        rewrites: whether an append writes all messages again.
        lists: whether it can list its sessions.
        postgresql: whether its sessions are in the PostgreSQL server.
        alone: whether it has a session to itself, and cannot share it with another process.
        longest: the longest session that it is measured with.
        most: the most sessions that it is listed with.
    """

    key: str
    name: str
    durability: Durability
    factory: str
    kind: Kind = "peer"
    peer: str = ""
    package: str = ""
    imports: str = ""
    rewrites: bool = False
    lists: bool = False
    postgresql: bool = False
    alone: bool = False
    longest: int = 10_000
    most: int = 10_000


STORES = "tests.benchmark.stores"
ROWS = 100_000  # a row per message: longer sessions cost no more

ours = partial(
    Contender, kind="ours", package="readfresh", lists=True, imports="from readfresh import DefaultSessionStore"
)
tree = partial(ours, rewrites=True, imports="from readfresh import HierarchicalSessionStore")
database = partial(ours, imports="from readfresh import DbSessionAdapter")
praisonai = partial(
    Contender,
    peer="praisonai",
    package="praisonaiagents",
    rewrites=True,
    lists=True,
    imports="from praisonaiagents.session import DefaultSessionStore",
)
openai = partial(
    Contender,
    peer="openai_agents",
    package="openai-agents",
    imports="from agents.extensions.memory import SQLAlchemySession",
)
langchain = partial(
    Contender,
    peer="langchain",
    package="langchain-community",
    imports="from langchain_community.chat_message_histories import SQLChatMessageHistory",
)
agno = partial(Contender, peer="agno", package="agno", lists=True)
microsoft = partial(Contender, peer="agent_framework", package="agent-framework-core")
floor = partial(Contender, kind="floor")

_ALL = (
    ours("files", "readfresh files, power", "power", f"{STORES}.ours:power", rewrites=True),
    ours("files-process", "readfresh files, process", "process", f"{STORES}.ours:process", rewrites=True),
    tree("tree", "readfresh hierarchical, power", "power", f"{STORES}.ours:tree_power"),
    tree("tree-process", "readfresh hierarchical, process", "process", f"{STORES}.ours:tree_process"),
    database("sqlite", "readfresh SQLite, power", "power", f"{STORES}.ours:database_power", longest=ROWS),
    database("sqlite-process", "readfresh SQLite, process", "process", f"{STORES}.ours:database_process", longest=ROWS),
    database("postgresql", "readfresh PostgreSQL, power", "power", f"{STORES}.ours:database_power", postgresql=True),
    database(
        "postgresql-process",
        "readfresh PostgreSQL, process",
        "process",
        f"{STORES}.ours:database_process",
        postgresql=True,
    ),
    praisonai("praisonai", "PraisonAI default", "process", f"{STORES}.praisonai:default"),
    praisonai("praisonai-tree", "PraisonAI hierarchical", "process", f"{STORES}.praisonai:hierarchical"),
    praisonai("praisonai-sqlite", "PraisonAI SQLite", "process", f"{STORES}.praisonai:sqlite"),
    openai(
        "openai-sqlite",
        "OpenAI Agents SQLiteSession",
        "power",
        f"{STORES}.openai_agents:sqlite",
        imports="from agents.memory import SQLiteSession",
        longest=ROWS,
    ),
    openai(
        "openai-sqlalchemy",
        "OpenAI Agents SQLAlchemySession, SQLite",
        "power",
        f"{STORES}.openai_agents:sqlalchemy",
        longest=ROWS,
    ),
    openai(
        "openai-postgresql",
        "OpenAI Agents SQLAlchemySession, PostgreSQL",
        "power",
        f"{STORES}.openai_agents:sqlalchemy",
        postgresql=True,
    ),
    langchain("langchain-file", "LangChain file", "process", f"{STORES}.langchain:file", rewrites=True),
    langchain("langchain-sql", "LangChain SQL, SQLite", "power", f"{STORES}.langchain:sql", longest=ROWS),
    Contender(
        "langgraph",
        "LangGraph SqliteSaver",
        "power",
        f"{STORES}.langgraph:Threads",
        peer="langgraph",
        package="langgraph-checkpoint-sqlite",
        imports="from langgraph.checkpoint.sqlite import SqliteSaver",
        rewrites=True,
    ),
    Contender(
        "google-adk",
        "Google ADK, SQLite",
        "power",
        f"{STORES}.google_adk:Service",
        peer="google_adk",
        package="google-adk",
        imports="from google.adk.sessions import DatabaseSessionService",
        lists=True,
        longest=ROWS,
        most=1_000,
    ),
    Contender(
        "strands",
        "Strands, a file per message",
        "process",
        f"{STORES}.strands:Managers",
        peer="strands",
        package="strands-agents",
        imports="from strands.session.file_session_manager import FileSessionManager",
    ),
    agno(
        "agno-json",
        "Agno JSON",
        "process",
        f"{STORES}.agno:json",
        imports="from agno.db.json import JsonDb",
        rewrites=True,
        most=1_000,
    ),
    agno("agno-sqlite", "Agno SQLite", "power", f"{STORES}.agno:sqlite", imports="from agno.db.sqlite import SqliteDb"),
    Contender(
        "llamaindex",
        "LlamaIndex SimpleChatStore",
        "process",
        f"{STORES}.llamaindex:Chats",
        peer="llamaindex",
        package="llama-index-core",
        imports="from llama_index.core.storage.chat_store import SimpleChatStore",
        rewrites=True,
    ),
    microsoft(
        "microsoft-session",
        "Microsoft Agent Framework, session",
        "process",
        f"{STORES}.agent_framework:Sessions",
        imports="from agent_framework import FileSessionStore",
        rewrites=True,
    ),
    microsoft(
        "microsoft-history",
        "Microsoft Agent Framework, history",
        "process",
        f"{STORES}.agent_framework:Histories",
        imports="from agent_framework import FileHistoryProvider",
    ),
    floor("floor", "floor: lock, new file, rename", "process", f"{STORES}.floor:rename", rewrites=True, alone=True),
    floor(
        "floor-fsync",
        "floor: lock, new file, rename, fsync",
        "power",
        f"{STORES}.floor:rename_synced",
        rewrites=True,
        alone=True,
    ),
    floor("floor-row", "floor: a row in SQLite, NORMAL", "process", f"{STORES}.floor:rows", longest=ROWS),
    floor("floor-row-fsync", "floor: a row in SQLite, FULL", "power", f"{STORES}.floor:rows_synced", longest=ROWS),
    floor("floor-line", "floor: a JSON line", "process", f"{STORES}.floor:lines", longest=ROWS),
    floor("floor-line-fsync", "floor: a JSON line, fsync", "power", f"{STORES}.floor:lines_synced", longest=ROWS),
)
CONTENDERS = {contender.key: contender for contender in _ALL}
"""Everybody, by key, in the order of the page."""
