"""All stores of the matrix: ours and other people's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Store:
    """A column of the matrix.

    Args:
        key: names its report and its page.
        short: the head of its column.
        factory: the name under which the kit finds it.
        needs: the server that it needs, by the name of a fixture; empty for none.
    """

    key: str
    short: str
    factory: str
    needs: str = ""

    @property
    def peer(self) -> str:
        """The peer whose environment it needs, which is the folder of its adapter; empty for ours."""
        _, package, folder, *_ = self.factory.split(".")
        return folder if package == "peers" else ""


OURS = (
    Store("default", "Default", "tests.matrix.ours:default"),
    Store("hierarchical", "Hierarchical", "tests.matrix.ours:hierarchical"),
    Store("sqlite", "SQLite", "tests.matrix.ours:sqlite"),
    Store("sqlite-hierarchical", "SQLite, hierarchical", "tests.matrix.ours:sqlite_tree"),
    Store("postgresql", "PostgreSQL", "tests.matrix.ours:postgresql", "postgresql_url"),
    Store("postgresql-hierarchical", "PostgreSQL, hierarchical", "tests.matrix.ours:postgresql_tree", "postgresql_url"),
    Store("redis", "Redis example", "tests.matrix.ours:redis", "redis_url"),
)
THEIRS = (
    Store("praisonai-default", "PraisonAI default", "tests.peers.praisonai.adapter:default"),
    Store("praisonai-hierarchical", "PraisonAI hierarchical", "tests.peers.praisonai.adapter:hierarchical"),
    Store("openai-agents", "OpenAI Agents SQLite", "tests.peers.openai_agents.adapter:factory"),
    Store("agno-sqlite", "Agno SQLite", "tests.peers.agno.adapter:sqlite"),
    Store("agno-json", "Agno JSON", "tests.peers.agno.adapter:files"),
    Store("strands", "Strands files", "tests.peers.strands.adapter:factory"),
    Store("langchain", "LangChain file", "tests.peers.langchain.adapter:factory"),
    Store("llamaindex", "LlamaIndex", "tests.peers.llamaindex.adapter:factory"),
)
STORES = OURS + THEIRS
