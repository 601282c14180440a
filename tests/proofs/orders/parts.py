"""The parts of the rung: every pair of verb classes, every triple, and one of them killed at each of its steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.proofs.orders.diagram import finding
from tests.proofs.orders.explorer import Explored
from tests.proofs.orders.programs import CLASSES, PLAIN_VERBS, VERBS, Program, Verdict, check, worlds
from tests.proofs.rung import Part, Ran

T = TypeVar("T")
Programs = Iterable[tuple[Program, str]]

REPRESENTATIVES = (*CLASSES, "get_parent")
"""One verb of each class; `get_parent` too, which goes from the child to the parent where its class goes down."""


def run_all(programs: Programs, folder: Path) -> Ran:
    """Run every order of each program in its world."""
    done, count = Explored(), 0
    for program, world in programs:
        count += 1
        verdict = check(program, world, folder, done)
        if verdict.order is not None:
            return Ran(_counts(count, done), finding(_told(program, world, verdict), verdict.order))
    return Ran(_counts(count, done))


def run_killed(programs: Programs, folder: Path) -> Ran:
    """Run every order of each program in which its first client is killed, before each of its steps."""
    done, count, points = Explored(), 0, 0
    for program, world in programs:
        count += 1
        for step in itertools.count():
            verdict = check(program, world, folder, done, killed=(0, step))
            if verdict.order is not None:
                counts = {**_counts(count, done), "crash points": points}
                return Ran(counts, finding(_told(program, world, verdict), verdict.order))
            if not verdict.died:
                break
            points += 1
    return Ran({**_counts(count, done), "crash points": points})


def _counts(programs: int, done: Explored) -> dict[str, int]:
    return {"programs": programs, "orders": done.orders, "operations": done.steps}


def _told(program: Program, world: str, verdict: Verdict) -> str:
    who = " beside ".join(
        f"{', '.join(verbs)} of a {'hierarchical' if extended else 'plain'} store" for extended, verbs in program
    )
    return f"{verdict.wrong} ({who}; {'the session exists' if world == 'there' else 'the session does not exist'})"


def beside(verbs: Sequence[str], size: int, times: int = 1, *, ordered: bool = False) -> Iterator[tuple[Program, str]]:
    """Yield a program for each choice of verbs and each mixture of stores, in each world.

    Args:
        verbs: what to choose from.
        size: how many clients there are.
        times: how often each calls its verb.
        ordered: whether it matters who is the first one.
    """
    clients = [(extended, verb) for verb in verbs for extended in ((False, True) if verb in PLAIN_VERBS else (True,))]
    chosen = itertools.product(clients, repeat=size) if ordered else _choose(clients, size)
    for each in chosen:
        for world in worlds():
            yield tuple((extended, (verb,) * times) for extended, verb in each), world


def taking_turns(verbs: Sequence[str], size: int, *, ordered: bool = False) -> Iterator[tuple[Program, str]]:
    """Yield a program for each choice of verbs, in each world: the mixtures of stores take turns."""
    chosen = itertools.product(verbs, repeat=size) if ordered else _choose(verbs, size)
    for number, each in enumerate(chosen):
        for turn, world in enumerate(worlds()):
            kinds = [verb not in PLAIN_VERBS or bool((number + turn) >> place & 1) for place, verb in enumerate(each)]
            yield tuple((extended, (verb,)) for extended, verb in zip(kinds, each, strict=True)), world


def of_two_calls(verbs: Sequence[str]) -> Iterator[tuple[Program, str]]:
    """Yield a program for each pair of clients that call one verb, then another, in each world; stores take turns."""
    twice = list(itertools.product(verbs, repeat=2))
    for number, pair in enumerate(_choose(twice, 2)):
        for turn, world in enumerate(worlds()):
            program = []
            for place, calls in enumerate(pair):
                plain = all(verb in PLAIN_VERBS for verb in calls)
                program.append((not plain or bool((number + turn) >> place & 1), calls))
            yield tuple(program), world


def _choose(of: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    return itertools.combinations_with_replacement(of, size)


def _parts(
    name: str, what: str, run: Callable[[Programs, Path], Ran], programs: Callable[[], Programs], shares: int = 1
) -> Iterator[Part]:
    """Yield parts that take about as long as each other: each takes its share of the programs.

    An odd number of shares gives each of them both worlds, which take turns.
    """

    def of_share(number: int, folder: Path) -> Ran:
        return run(itertools.islice(programs(), number, None, shares), folder)

    for number in range(shares):
        yield Part("orders", f"{name}-{number + 1}" if shares > 1 else name, what, partial(of_share, number))


FEW, ALL = REPRESENTATIVES, tuple(VERBS)

PARTS = (
    *_parts("pairs", "every pair of classes, one call each", run_all, lambda: beside(FEW, 2)),
    *_parts("pairs-twice", "every pair of classes, two calls each", run_all, lambda: beside(FEW, 2, 2), 3),
    *_parts("triples", "every triple of classes, one call each", run_all, lambda: taking_turns(FEW, 3), 5),
    *_parts(
        "killed", "every pair, one killed before each step", run_killed, lambda: taking_turns(FEW, 2, ordered=True), 3
    ),
)
"""Those of every run of CI; the normal run takes a share of the longer programs."""

MIXTURES = (
    *_parts("triples-mixed", "every triple of classes and stores", run_all, lambda: beside(FEW, 3), 9),
    *_parts(
        "killed-mixed", "every pair of classes and stores, one killed before each step", run_killed,
        lambda: beside(FEW, 2, ordered=True), 5,
    ),
)  # fmt: skip
"""Every mixture of stores, for LONG_RUN=1."""

LONG_ONES = (
    *_parts("verbs-pairs", "every pair of verbs, one call each", run_all, lambda: beside(ALL, 2)),
    *_parts("verbs-pairs-twice", "every pair of verbs, two calls each", run_all, lambda: beside(ALL, 2, 2), 5),
    *_parts("verbs-triples", "every triple of verbs, one call each", run_all, lambda: taking_turns(ALL, 3), 15),
    *_parts("two-calls", "every pair of clients that call two classes", run_all, lambda: of_two_calls(FEW), 15),
    *_parts(
        "verbs-killed", "every pair of verbs, one killed before each step", run_killed,
        lambda: taking_turns(ALL, 2, ordered=True), 9,
    ),
)  # fmt: skip
"""Every verb instead of one of each class, and longer programs, for LONG_RUN=1 too."""
