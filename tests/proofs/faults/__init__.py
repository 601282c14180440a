"""Every fault: a disk that refuses, writes short or is full, at every verb and every system call of every verb.

- `scene`: a directory with a session, a verb that is called there, and what is promised of the outcome
- `seam`: the disk's verbs fail, one at a time and for good
- `calls`: the system calls below them fail, are short, or are interrupted
- `sweeps`: tries each of them at each call: the first, the second, … until the verb passes untouched
- `real`: limits that the system itself sets, with nothing injected, in processes of their own
- `parts`: all of these, as parts that count
"""
