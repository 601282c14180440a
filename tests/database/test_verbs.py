"""One contract: the tests of the verbs over files, run as they are over both databases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore
from tests.database.support import Databases, Untouched
from tests.store import support, test_verbs
from tests.store.support import UntouchedDisk
from tests.store.test_verbs import tree, untouched

__all__ = ["tree", "untouched"]  # their fixtures

_DISK = "puts a disk of its own under the store"
_DAMAGE = "puts damaged files into the directory; tests/database/test_damage.py does so with rows"
_ARGUMENTS = "is about arguments, which are refused before any storage is asked"
_DIRECTORY = "is about directories"
FILES_ONLY = {
    "test_a_child_that_is_refused_shows_in_the_tree": _DISK,
    "test_a_parent_deleted_while_its_child_is_created_is_not_brought_back": _DISK,
    "test_an_error_can_be_printed_whatever_its_path_is": _DIRECTORY,
    "test_deleting_leaves_only_the_lock_file": "is about lock files",
    "test_directory_is_that_of_the_user_or_of_the_environment": _DIRECTORY,
    "test_directory_stays_when_the_process_moves": _DIRECTORY,
    "test_histories_that_are_none_are_refused_by_name": _ARGUMENTS,
    "test_messages_that_are_none_are_refused_by_name": _ARGUMENTS,
    "test_metadata_that_json_cannot_hold_is_refused_by_name": _ARGUMENTS,
    "test_none_is_no_id_but_may_ask_for_one": _ARGUMENTS,
    "test_repr_tells_the_state": _DIRECTORY,
    "test_sessions_are_listed_newest_first": "names files; tests/database/test_damage.py lists rows",
    "test_the_hook_hears_every_error_and_its_own_go_no_further": _DAMAGE,
    "test_the_hook_is_not_told_of_what_it_causes": _DAMAGE,
    "test_the_one_store_of_a_process_survives_a_fork_while_it_is_made": _DIRECTORY,
    "test_tree_may_be_deep": "is about recursion, which no storage has a part in",
    "test_verify_reports_what_a_person_wants_to_know": _DAMAGE,
    "test_what_cannot_be_read_any_more_is_left_out": _DISK,
    "test_what_cannot_be_read_hides_no_other": _DAMAGE,
    "test_what_is_no_id_is_refused_by_name": _ARGUMENTS,
    "test_wrong_arguments_are_named": _ARGUMENTS,
    "test_wrong_arguments_of_the_stores_are_named": _DIRECTORY,
    "test_wrong_arguments_of_the_tree_verbs_are_named": _ARGUMENTS,
    "test_wrong_seams_are_named": _DISK,
}

globals().update(
    {name: test for name, test in vars(test_verbs).items() if name.startswith("test_") and name not in FILES_ONLY}
)


def test_what_is_left_out_is_there() -> None:
    """Each test that is left out exists."""
    assert set(FILES_ONLY) <= set(vars(test_verbs))


@pytest.fixture(autouse=True)
def _over_a_database(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every store that is made with a directory keep its sessions in the directory's database."""
    made = DefaultSessionStore.__init__

    def over_a_database(self: Any, session_dir: Any = None, *given: Any, **named: Any) -> None:
        disk = named.pop("disk", None)
        timeout = {name: named.pop(name) for name in ("lock_timeout",) if name in named}
        if isinstance(disk, UntouchedDisk):
            named["storage"] = Untouched()
        else:
            named["storage"] = databases.adapter(Path(os.fspath(session_dir)), **timeout)
        made(self, None, *given, **named)

    monkeypatch.setattr(DefaultSessionStore, "__init__", over_a_database)
    for module in (test_verbs, support):
        monkeypatch.setattr(module, "contents", databases.contents)
        monkeypatch.setattr(module, "write_json", databases.write_json)
