"""The guarantees, proved as far as a program can: every order, every crash, every fault.

Each rung is a folder that tries one kind of thing, over the real stores with all their verbs:

- `orders`: every order of two and three clients at the seam, also with one of them killed
- `threads`: the same without the seam: real threads, real locks, real files
- `kills`: a process that is killed at each of its operations
- `power`: what a loss of power may leave
- `faults`: a disk that fails at each operation
- `processes`: many processes for long, and a history that is judged
- `model`: random verbs against a model
- `fuzz`: files and ids that nobody would write
- `seam`: no module but one touches the file system

`rung` says what they have in common, `figures` keeps what they counted for the pages,
and `teeth` puts faults into the stores and looks which rung finds which.
"""
