"""The matrix: every guarantee over every store, ours and other people's, and the pages that show it.

Read in this order: `ours` makes our stores, `stores` lists all of them, `stress` adds messages in two processes at
once, `reports` runs the kit and keeps what it found, `pages` writes the pages.
"""
