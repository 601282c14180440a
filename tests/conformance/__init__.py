"""The conformance kit: a broken store for each classic fault, and what the kit says about it."""
