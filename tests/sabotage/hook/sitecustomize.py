"""Python runs this when it starts, in every child of a sabotaged test run: the fault is in the children too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.sabotage.faults import apply_named

apply_named()
