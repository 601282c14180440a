"""The tests of readfresh; `python3 dev.py test` runs them all."""
