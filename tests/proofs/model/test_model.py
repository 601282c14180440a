"""Random verbs against a model: what is in it, what it finds, and that it finds nothing."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import HierarchicalSessionStore
from readfresh.chat import ChatStore
from readfresh.model import tail
from tests.full_grid import FULL_GRID
from tests.proofs.figures import prove
from tests.proofs.model import play
from tests.proofs.model.machine import READS, TREE_READS, TREE_WRITES, WRITES
from tests.proofs.model.parts import PARTS
from tests.proofs.rung import Part
from tests.store.support import VERBS

# A server answers more slowly than files do: it is for `FULL_GRID=1`.
QUICK = [part for part in PARTS if FULL_GRID or part.key != "model-postgresql"]


@pytest.mark.parametrize("part", QUICK, ids=lambda part: part.key)
def test_the_stores_do_what_the_model_does(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Whatever is called, by whichever store object, every answer and every session is the model's."""
    prove(part, tmp_path, pytestconfig)


def test_every_verb_is_in_the_model() -> None:
    """No public verb is left out."""
    assert {*WRITES, *TREE_WRITES, *READS, *TREE_READS} == {verb.name for verb in VERBS}


def cached(patch: pytest.MonkeyPatch) -> None:
    """Let each store object keep what it has read."""
    read = ChatStore._read

    def remembering(self: Any, session_id: str, **options: Any) -> Any:
        kept = self.__dict__.setdefault("kept", {})
        if session_id not in kept:
            kept[session_id] = read(self, session_id, **options)
        return kept[session_id]

    patch.setattr(ChatStore, "_read", remembering)


def one_more(patch: pytest.MonkeyPatch) -> None:
    """Let a limit leave one message more."""
    patch.setattr("readfresh.chat.tail", lambda messages, limit: tail(messages, limit and limit + 1))


def forgetful(patch: pytest.MonkeyPatch) -> None:
    """Let a fork leave out the metadata of its origin."""
    create_under = HierarchicalSessionStore._create_under

    def bare(self: Any, parent: Any, child: Any) -> str:
        return create_under(self, parent, dataclasses.replace(child, metadata={}))

    patch.setattr(HierarchicalSessionStore, "_create_under", bare)


@pytest.mark.parametrize("breaks", [cached, one_more, forgetful])
def test_a_broken_store_is_found(breaks: Callable[[pytest.MonkeyPatch], None], tmp_path: Path) -> None:
    """A store that is wrong is found, and the finding is a short program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play, "SHRINK_SECONDS", 2)
        breaks(patch)
        ran = PARTS[0].run(tmp_path)
    assert ran.finding
    assert ran.finding.what.startswith("A store does not do what the model does, in `")
    assert ran.finding.history[0] == "state.open()"
    assert len(ran.finding.history) < 40
