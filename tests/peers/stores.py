"""The peers' stores: under which name the kit finds each, and whose environment it needs."""

from __future__ import annotations

STORES = {
    "praisonai-default": "tests.peers.praisonai.adapter:default",
    "praisonai-hierarchical": "tests.peers.praisonai.adapter:hierarchical",
    "openai-agents": "tests.peers.openai_agents.adapter:factory",
    "langchain": "tests.peers.langchain.adapter:factory",
    "strands": "tests.peers.strands.adapter:factory",
    "agno-json": "tests.peers.agno.adapter:files",
    "agno-sqlite": "tests.peers.agno.adapter:sqlite",
    "llamaindex": "tests.peers.llamaindex.adapter:factory",
}


def peer_of(factory: str) -> str:
    """Return the name of the peer whose environment an adapter needs: the folder that it stands in."""
    return factory.split(".")[2]
