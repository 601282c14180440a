"""The seam is complete: no module but `disk`, and `waiting` that it alone uses, touches the file system.

It is shown twice: by reading the code (`code`), and by auditing a run of everything (`audit`, in the process `child`).
The first sees what no run comes to; the second sees what no reading of names tells.
"""
