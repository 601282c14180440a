"""Every crash: a process is killed at each moment of each verb that writes, and what it leaves is judged.

1. The process is real, and SIGKILL ends it: it runs nothing any more, no `finally` and no `atexit`.
2. The moments are before and after each step at the seam, in the middle of each write, and the return of the verb.
   strace counts the system calls on its own, and kills at each of them where there is no seam at all.
3. What is left is looked at by another process that waits for no lock.

A kill cannot test fsync: what a killed process has written stays in the system's memory, and reaches the disk all the
same. That is what the rung `power` is for.

Read in this order:

- `scene`: what stands there, and the verbs
- `victim`: the process that is killed, and the disk that kills it
- `judge`: what must hold after it
- `moments`: all of them, of all verbs
- `crowd`: victims that wait, or have other threads
- `calls`: what strace counts
- `small`: the process in which a part runs
- `parts`: what there is to run
"""
