"""What nobody would write: files, names and ids that try to make a store fail, hang, or take what it pleases.

Read in this order: `memory` (a directory in memory), `growth` (what a call costs, and how that grows), `hostile` (files
that are made to be expensive).
"""
