"""The sequence diagrams of the pages, recorded: real stores, played in an order that is the same in every run.

Read in this order:

events       what a recording is made of
stage        workers that run one at a time, stop where they are told, and are stopped and killed as processes
seam         where it listens: the disk of a store, its methods, the statements of a database
programs     the designs that lose, taken from the programs of the pages
projections  what of a recording is drawn, in six named ways
scenarios    a scenario: its name, its play, its projection and its participants
of_*         the scenarios
catalogue    every recording that a fence can name

``python -m tests.recordings no_lost_update`` prints what the scenario has recorded, and the diagram of it.
"""
