"""The fourteen guarantees: their slugs and sentences, which are the same on every page."""

from __future__ import annotations

__all__ = ["GUARANTEES"]

GUARANTEES: dict[str, str] = {
    "no-lost-update": "Every change that has returned is in every later state of the session until another change "
    "takes it out, however many threads, processes and store objects write at once.",
    "read-fresh": "A read that starts after a write has returned sees that write, in any thread, process or store "
    "object.",
    "all-or-nothing": "A reader, and a process that starts after a crash, finds a session as it was before a change "
    "or as it is after it, never in between.",
    "durable": "A change that has returned outlives the death of its process and the loss of power "
    '(`durability="process"` gives up the second, and with it `all-or-nothing` across a loss of power, for speed).',
    "nothing-else-changes": "A change alters what it names and nothing else: fields that a store has never heard of "
    "survive it, at every level of the file.",
    "damage-is-kept": "A damaged session is never overwritten, moved or passed off as an empty one: reading it and "
    "writing to it raise an error that names it, and its bytes stay.",
    "ids-are-apart": "Two sessions with different ids never share data, and no id reaches outside the session "
    "directory.",
    "none-is-a-value": "A field that is set to None is None for every later reader.",
    "replace-is-one-step": "Replacing a history is one change: nobody ever sees it half replaced, and timestamps and "
    "metadata that were given are kept.",
    "snapshot-is-exact": "Reverting to a snapshot brings back exactly the messages it was taken of, whatever happened "
    "since: more messages, trimming, clearing, replacing, other reverts.",
    "tree-is-sound": "A parent never lists a child that does not exist, a child that has been created or forked is "
    "listed by its parent until it is deleted, and a deleted parent is not brought back by a child.",
    "waiting-is-bounded": "A read or a write waits for a lock at most its timeout, then says so and has changed "
    "nothing; a dead holder blocks nobody.",
    "cache-is-invisible": "`invalidate_cache` changes what a read costs, never what it returns.",
    "a-turn-is-kept": "A turn of an agent or a bot is kept, executed or streamed, also when the consumer of the "
    "stream stops early, the model fails half-way, or a second worker answers the same user.",
}
