"""Regular expressions as finite automata over the characters of a text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from .characters import ANY, LAST, Characters
from .pattern_parser import (
    Alternatives,
    Pattern,
    Repeat,
    Sequence,
    UnsupportedPatternError,
    parse_pattern,
)

MAX_STATES = 200
"""A larger automaton is left to validation: it would slow the grammar engine down."""
_MAX_NODES = 5_000


@dataclass(frozen=True, slots=True)
class State:
    """A state of a deterministic automaton."""

    accepts: bool
    """Whether the text may end here."""
    moves: tuple[tuple[Characters, int], ...]
    """The index of the next state for each set of characters. The sets do not overlap."""


@lru_cache(maxsize=1_000)
def find_anywhere(pattern: str, *, certain: bool = False) -> tuple[State, ...]:
    """Return the automaton of the texts in which a pattern is found; the first state is the start.

    certain: see `parse_pattern`. If true, the automaton accepts what matches in all dialects of
        regular expressions; else, what matches in at least one.

    Raises UnsupportedPatternError.
    """
    return _Subsets(_Nodes(parse_pattern(pattern, certain=certain))).states()


class _Nodes:
    """A nondeterministic automaton of the texts in which a pattern is found."""

    START, FOUND = 0, 1

    def __init__(self, pattern: Pattern) -> None:
        self.moves: list[list[tuple[Characters, int]]] = []
        """For each node, the nodes that a character leads to."""
        self.free: list[list[tuple[str, int]]] = []
        """For each node, the nodes to reach without a character: anywhere (""), at the start of the
        text ("^") or at its end ("$")."""
        start, found, begin = self._add(), self._add(), self._add()
        self.moves[start].append((ANY, start))
        self.moves[found].append((ANY, found))
        self.free[start].append(("", begin))
        self.free[self._append(pattern, begin)].append(("", found))

    def _add(self) -> int:
        if len(self.moves) >= _MAX_NODES:
            raise UnsupportedPatternError("it is too large")
        self.moves.append([])
        self.free.append([])
        return len(self.moves) - 1

    def _append(self, pattern: Pattern, begin: int) -> int:
        """Add the nodes of a pattern that begins at a node; return the node at its end."""
        if isinstance(pattern, Sequence):
            for part in pattern.parts:
                begin = self._append(part, begin)
            return begin
        if isinstance(pattern, Repeat):
            return self._append_repeat(pattern, begin)
        end = self._add()
        if isinstance(pattern, Alternatives):
            for branch in pattern.branches:
                # A node of its own, so that a loop in one branch does not lead into another.
                first = self._add()
                self.free[begin].append(("", first))
                self.free[self._append(branch, first)].append(("", end))
        elif isinstance(pattern, str):
            self.free[begin].append((pattern, end))
        else:
            self.moves[begin].append((pattern, end))
        return end

    def _append_repeat(self, repeat: Repeat, begin: int) -> int:
        for _ in range(repeat.least):
            begin = self._append(repeat.part, begin)
        end = self._add()
        if repeat.most is None:
            loop = self._add()
            self.free[begin].append(("", loop))
            self.free[self._append(repeat.part, loop)].append(("", loop))
            self.free[loop].append(("", end))
            return end
        for _ in range(repeat.most - repeat.least):
            self.free[begin].append(("", end))
            begin = self._append(repeat.part, begin)
        self.free[begin].append(("", end))
        return end

    def closure(self, nodes: Iterable[int], conditions: frozenset[str]) -> frozenset[int]:
        """Return the nodes, and all that can be reached from them without a character."""
        reached = set(nodes)
        waiting = list(reached)
        while waiting:
            for condition, node in self.free[waiting.pop()]:
                if condition in conditions and node not in reached:
                    reached.add(node)
                    waiting.append(node)
        return frozenset(reached)


@dataclass(slots=True)
class _Subsets:
    """The construction of a deterministic automaton: each state is a set of nodes."""

    nodes: _Nodes
    _indexes: dict[frozenset[int], int] = field(default_factory=dict[frozenset[int], int])
    _waiting: list[frozenset[int]] = field(default_factory=list[frozenset[int]])

    def states(self) -> tuple[State, ...]:
        # The first state alone is at the start of the text, so it is never reached again.
        first = self.nodes.closure([_Nodes.START], frozenset({"", "^"}))
        found = [self._state(first, frozenset({"", "^", "$"}))]
        while self._waiting:
            found.append(self._state(self._waiting.pop(0), frozenset({"", "$"})))
        return tuple(found)

    def _state(self, nodes: frozenset[int], at_end: frozenset[str]) -> State:
        targets: dict[frozenset[int], Characters] = {}
        edges = [edge for node in nodes for edge in self.nodes.moves[node]]
        starts = sorted({0, *(start for characters, _ in edges for start in characters.starts())})
        for start, after in zip(starts, [*starts[1:], LAST + 1], strict=True):
            if start > LAST:
                continue
            reached = self._step(edges, chr(start))
            interval = Characters(((start, after - 1),))
            targets[reached] = targets.get(reached, Characters()) | interval
        moves = tuple(
            (chars, self._index(reached)) for reached, chars in targets.items() if reached
        )
        return State(_Nodes.FOUND in self.nodes.closure(nodes, at_end), moves)

    def _step(self, edges: list[tuple[Characters, int]], char: str) -> frozenset[int]:
        reached = self.nodes.closure(
            (node for characters, node in edges if char in characters), frozenset({""})
        )
        # Once the pattern is found, every text is right.
        return frozenset({_Nodes.FOUND}) if _Nodes.FOUND in reached else reached

    def _index(self, nodes: frozenset[int]) -> int:
        if nodes not in self._indexes:
            if len(self._indexes) >= MAX_STATES:
                raise UnsupportedPatternError("it is too large")
            self._indexes[nodes] = len(self._indexes) + 1
            self._waiting.append(nodes)
        return self._indexes[nodes]


def intersection(first: tuple[State, ...], second: tuple[State, ...]) -> tuple[State, ...]:
    """Return the automaton of the texts that both accept.

    Raises UnsupportedPatternError if it has too many states.
    """
    indexes = {(0, 0): 0}
    waiting = [(0, 0)]
    states = list[State]()
    while waiting:
        left_index, right_index = waiting.pop(0)
        left, right = first[left_index], second[right_index]
        moves = list[tuple[Characters, int]]()
        for characters, target in left.moves:
            for others, other_target in right.moves:
                if both := characters & others:
                    pair = (target, other_target)
                    if pair not in indexes:
                        if len(indexes) >= MAX_STATES:
                            raise UnsupportedPatternError("it is too large")
                        indexes[pair] = len(indexes)
                        waiting.append(pair)
                    moves.append((both, indexes[pair]))
        states.append(State(left.accepts and right.accepts, tuple(moves)))
    return tuple(states)


def without_dead_ends(states: tuple[State, ...]) -> tuple[State, ...] | None:
    """Return an automaton without the moves from which no text is accepted; None if none is."""
    alive = {i for i, state in enumerate(states) if state.accepts}
    count = -1
    while len(alive) != count:
        count = len(alive)
        alive |= {i for i, s in enumerate(states) if any(target in alive for _, target in s.moves)}
    if 0 not in alive:
        return None
    return tuple(
        State(state.accepts, tuple(move for move in state.moves if move[1] in alive))
        for state in states
    )


def complement(states: tuple[State, ...]) -> tuple[State, ...]:
    """Return the automaton of the texts that another one does not accept.

    states: every text leads to some state, as in what `find_anywhere` returns.
    """
    return tuple(State(not state.accepts, state.moves) for state in states)


def accepts(states: tuple[State, ...], text: str) -> bool:
    """Tell whether an automaton accepts a text."""
    at = 0
    for char in text:
        target = next((target for chars, target in states[at].moves if char in chars), None)
        if target is None:
            return False
        at = target
    return states[at].accepts
