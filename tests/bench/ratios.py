"""Speed ratios of two implementations, measured side by side in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Case(NamedTuple):
    """Two implementations of the same work."""

    name: str
    reference: Callable[[], object]
    ours: Callable[[], object]
    at_least: float
    """The promised ratio."""
    work: int = 1
    """Units of work in one call."""
    unit: str = "call"


def seconds(functions: Sequence[Callable[[], object]], spend_s: float) -> list[float]:
    """Return each function's best time. They run in turn, so a busy machine affects all alike.

    spend_s: wall-clock seconds for the measurement; each function runs at least five times.
    """
    best = [float("inf")] * len(functions)
    started = time.perf_counter()
    rounds = 0
    while rounds < 5 or time.perf_counter() - started < spend_s:
        rounds += 1
        for index, function in enumerate(functions):
            call_started = time.perf_counter()
            function()
            best[index] = min(best[index], time.perf_counter() - call_started)
    return best


def show(cases: Sequence[Case], *, reference: str, spend_s: float = 3.0) -> None:
    """Print a line for each case, with both times and their ratio, reference/ours."""
    _print_header(reference)
    for case in cases:
        _print_line(case, seconds((case.reference, case.ours), spend_s))


def show_sum(cases: Sequence[Case], *, reference: str, spend_s: float = 3.0) -> None:
    """Print one line for cases that are parts of one task: the sums of their best times.

    Measuring a long task in short parts finds the quiet moments of a busy machine.
    """
    times = [seconds((case.reference, case.ours), spend_s) for case in cases]
    total = cases[0]._replace(work=sum(case.work for case in cases))
    _print_header(reference)
    _print_line(total, [sum(column) for column in zip(*times, strict=True)])


def _print_header(reference: str) -> None:
    print(f"{'work':38}{reference:>16}{'ossia':>14}{'ratio':>8}  promised")


def _print_line(case: Case, times: Sequence[float]) -> None:
    reference, ours = (f"{1e6 * time_s / case.work:.2f} us" for time_s in times)
    label = f"{case.name}, a {case.unit}"
    ratio = times[0] / times[1]
    print(f"{label:38}{reference:>16}{ours:>14}{ratio:8.1f}  >= {case.at_least:g}")
