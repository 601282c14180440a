"""`FULL_GRID=1` has everything looked at of which the normal run, which is for people, takes a sample."""

import os

FULL_GRID = os.environ.get("FULL_GRID") == "1"
