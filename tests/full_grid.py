"""`FULL_GRID=1` has everything looked at of which the normal run, which is for people, takes a sample.

The normal run stays under eight minutes on two cores. CI sets `FULL_GRID=1`, in `.ci/run`.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL_GRID = os.environ.get("FULL_GRID") == "1"


def sample(everything: Sequence[T], each: int) -> Sequence[T]:
    """Return every so-manieth of these, and all of them with `FULL_GRID=1`."""
    return everything if FULL_GRID else everything[::each]
