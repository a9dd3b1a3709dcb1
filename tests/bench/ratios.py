"""Ratios of one way to another, measured side by side in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Case(NamedTuple):
    """Two ways to do the same work."""

    name: str
    reference: Callable[[], object]
    ours: Callable[[], object]
    at_least: float
    """The ratio that is promised."""
    work: int = 1
    """Units of work in one call."""
    unit: str = "call"


def seconds(ways: Sequence[Callable[[], object]], spend_s: float) -> list[float]:
    """The best time of each way. They take turns, so that a busy machine hits all alike.

    spend_s: wall-clock seconds to go on for; every way has five turns at least.
    """
    best = [float("inf")] * len(ways)
    started = time.perf_counter()
    turn = 0
    while turn < 5 or time.perf_counter() - started < spend_s:
        turn += 1
        for at, way in enumerate(ways):
            begin = time.perf_counter()
            way()
            best[at] = min(best[at], time.perf_counter() - begin)
    return best


def show(cases: Sequence[Case], *, reference: str, spend_s: float = 3.0) -> None:
    """Print a line for each case: both times, and reference/ours."""
    _print_head(reference)
    for case in cases:
        _print_line(case, seconds((case.reference, case.ours), spend_s))


def show_sum(cases: Sequence[Case], *, reference: str, spend_s: float = 3.0) -> None:
    """Print a line for all cases, which are parts of one: what their best times add up to.

    Where the work is long, short turns at its parts find a busy machine's quiet moments.
    """
    times = [seconds((case.reference, case.ours), spend_s) for case in cases]
    whole = cases[0]._replace(work=sum(case.work for case in cases))
    _print_head(reference)
    _print_line(whole, [sum(each) for each in zip(*times, strict=True)])


def _print_head(reference: str) -> None:
    print(f"{'work':38}{reference:>16}{'ossia':>14}{'ratio':>8}  promised")


def _print_line(case: Case, times: Sequence[float]) -> None:
    theirs, ours = (f"{1e6 * one / case.work:.2f} us" for one in times)
    label = f"{case.name}, a {case.unit}"
    ratio = times[0] / times[1]
    print(f"{label:38}{theirs:>16}{ours:>14}{ratio:8.1f}  >= {case.at_least:g}")
