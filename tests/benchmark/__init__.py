"""What it costs: our stores, other people's and the floor, side by side in one run.

    python3 dev.py benchmark                 measure everything and keep it in results.json
    python3 dev.py benchmark --only append   measure one thing anew
    python3 dev.py benchmark --quick         see in a few seconds per measure that all of it works; keeps nothing

Read in this order:

stores      one module for each package: append, read, fill and list in its own calls; `floor` is the smallest program
worker      the process that has one store, and says how long each call took
contenders  who takes part, with its durability, and what is left out of what, with the reason
crew        workers, each in the environment of its package, driven through pipes
measures    what is measured: the contenders of a group take turns, round by round
results     results.json: its form, the machine, the merge of one measure into the others
figures     medians, and ratios that are computed per round
goals       what we want of it, and whether the last run reached it
report      the tables of docs/costs.md
"""
