"""The explorer: every order of two writers' steps, recorded from real code, for a page on which readers step.

Read in this order: `designs` (the writers, which stop before each step), `recording` (every order of each design,
folded into a graph), `page` (what the page says without JavaScript).
"""
