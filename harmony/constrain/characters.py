"""Sets of characters, as ranges of code points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LAST = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of characters: sorted ranges of code points that do not touch, ends included."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, *ranges: tuple[int, int]) -> Characters:
        """Return the union of any ranges."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return cls(tuple(merged))

    @classmethod
    def listed(cls, text: Iterable[str]) -> Characters:
        """Return the set of the characters of a text."""
        return cls.of(*((ord(char), ord(char)) for char in text))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, char: str) -> bool:
        return any(low <= ord(char) <= high for low, high in self.ranges)

    def __or__(self, other: Characters) -> Characters:
        return Characters.of(*self.ranges, *other.ranges)

    def __invert__(self) -> Characters:
        bounds = [-1, *(bound for low, high in self.ranges for bound in (low - 1, high)), LAST]
        pairs = zip(bounds[::2], bounds[1::2], strict=True)
        return Characters(tuple((low + 1, high) for low, high in pairs if low < high))

    def __and__(self, other: Characters) -> Characters:
        return ~(~self | ~other)

    def __sub__(self, other: Characters) -> Characters:
        return self & ~other

    def starts(self) -> Iterator[int]:
        """Yield the code points at which membership changes."""
        for low, high in self.ranges:
            yield low
            yield high + 1


ANY = Characters(((0, LAST),))
NOT_ASCII = Characters(((0x80, LAST),))
CONTROLS = Characters(((0, 0x1F),))
"""The characters that a JSON string must escape, apart from the quote and the backslash."""
