"""What each way to flush less may lose: the stores' own setting, and those that a fault makes.

Every setting is measured over the same programs, each in a process of its own, since a fault stays in its process.
"""

from __future__ import annotations

from dataclasses import dataclass

from readfresh.storage import Durability
from tests.sabotage.faults import all_faults


@dataclass(frozen=True)
class Setting:
    """A way to flush.

    Args:
        name: what a table calls it.
        unflushed: what is not flushed, in words.
        durability: what the stores are given.
        fault: the fault of `tests/sabotage` that is put into them; empty for none.
    """

    name: str
    unflushed: str
    durability: Durability = "power"
    fault: str = ""

    @property
    def loses(self) -> bool:
        """Return whether a loss of power may take or damage something."""
        return bool(self.fault) or self.durability != "power"

    def apply(self) -> None:
        """Put its fault into the stores of this process."""
        if self.fault:
            all_faults()[self.fault].apply()


SETTINGS = (
    Setting("power", "nothing: what the stores do by default"),
    Setting("process", 'neither file nor name: what the stores do with `durability="process"`', durability="process"),
    *(
        Setting(fault, unflushed, fault=fault)
        for fault, unflushed in {
            "no-fsync": "the file",
            "no-directory-fsync": "the rename and the deletion",
            "no-fsync-of-the-parent": "the name of a session directory",
            "directory-flushed-by-its-creator-only": "the name of a session directory that another worker made",
            "written-in-place": "nothing, and the session's own file is overwritten",
        }.items()
    ),
)
