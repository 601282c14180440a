"""Every order: real store code, its clients switched at every visible operation of the seam.

Read in this order: `spec` (what every verb does, one atomic section at a time), `clients` (real stores that stop before
each operation), `explorer` (all orders, with partial-order reduction), `judge` (what must hold at the end of each),
`programs` (which verbs meet which), `diagram` (an order as a reader sees it).
"""
