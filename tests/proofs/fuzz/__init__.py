"""What nobody would write: files, names and ids that try to make a store fail, hang, or take what it pleases.

Read in this order: `memory` (a directory in memory), `corpus` and `mutations` (files, and what becomes of them),
`trial` (what must hold of each), `mutated` (thousands of them); `odd` (what is no file); `ids`; `growth` and `hostile`
(what a call costs, and files that are made to be expensive); `guided` (the trial, led by the code that it reaches).
"""
