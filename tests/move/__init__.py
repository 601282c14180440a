"""The move of a directory into a database: with workers that go on, and a command that is killed at every step."""
