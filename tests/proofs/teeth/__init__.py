"""Faults are put into the stores, and each rung looks for each of them: a rung that finds nothing says little.

Every fault of `tests.sabotage` that names the part that has to find it (`found_by`) is tried with that part.
With `LONG_RUN=1` every one of them is tried with every column of the matrix, which a page shows.
"""
