"""Real servers for the tests: PostgreSQL and Redis, each with its data in a folder of its own.

Read in this order:

keeper    the process that owns a server and its folder, and ends both when its test process dies
server    start, stop, kill and restart a server, from the test process
binaries  where PostgreSQL and Redis are on this machine
own       the two servers
given     a server that an environment variable names, and fresh databases in any server
fixtures  all of it in pytest
"""
