"""Faults that are put into readfresh on purpose: each must turn the tests red that promise otherwise."""
