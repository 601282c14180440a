"""Every order without the seam: real threads, the real filelock, real files, and store code that knows nothing of it.

The rung `orders` models what a lock is and what depends on what; this one models neither.
Its clients are threads, of which one runs at a time; where it may be stopped, Python itself tells.

Read in this order: `explorer` (all schedules with so many preemptions), `taps` (where a thread is stopped, and what is
not real), `ours` (our stores as its clients, and what must hold in the end), `theirs` (other people's stores).
"""
