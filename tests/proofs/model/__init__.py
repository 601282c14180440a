"""Random verbs against a model: several store objects of both classes in one place, and what they must answer.

Read in this order: `tests.proofs.orders.spec` (what every verb does; the model of every rung), `beyond` (what that
leaves out because it needs no second client: limits, tool calls, titles), `machine` (the test itself), `places`
(a directory, SQLite, PostgreSQL), `play` (how it is run, and what is told of a failure).
"""
