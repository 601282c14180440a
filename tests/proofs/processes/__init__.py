"""Many processes for long: real processes, real kills, and a history that is judged when it is over.

1. Each client writes down that it calls before it calls, and what was answered after it has been answered.
2. `linearizable` decides whether there is an order in which one client after the other would have seen the same.
3. A call that was cut off may have taken effect or not; one of a process that is dead takes effect no more.
"""
