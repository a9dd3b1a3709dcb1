"""Checks of what users pass, when it is passed: an error says what to write instead."""

from __future__ import annotations

import math
from collections.abc import Collection


def check_number(
    setting: str,
    value: object,
    *,
    least: float,
    most: float = math.inf,
    whole: bool = True,
    none_means: str | None = None,
) -> None:
    """Check a number.

    setting: what the user wrote, such as `Limits(steps=...)`.
    whole: whether only integers are allowed.
    none_means: what None means; without it, None is not allowed.

    Raises TypeError for another type, and ValueError for a number out of bounds.
    """
    if value is None and none_means is not None:
        return
    kind = "a whole number" if whole else "a number"
    otherwise = "" if none_means is None else f", or None for {none_means}"
    written = setting.replace("...", repr(value))
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise TypeError(f"{written}: use {kind}{otherwise}")
    if not least <= value <= most:
        upper = "" if most == math.inf else f" to {most:g}"
        raise ValueError(f"{written}: use {kind} from {least:g}{upper}{otherwise}")


def check_choice(setting: str, value: object, choices: Collection[str]) -> None:
    """Check one of several words. Raises ValueError."""
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ValueError(f"{setting.replace('...', repr(value))}: use one of {known}")


def check_type(setting: str, value: object, kind: type, instead: str) -> None:
    """Check the type of an object.

    instead: what to write.

    Raises TypeError.
    """
    if isinstance(value, type) and issubclass(value, kind):
        raise TypeError(f"{setting} is the class {value.__name__}; call it: {value.__name__}(...)")
    if not isinstance(value, kind):
        raise TypeError(f"{setting} is {value!r}; {instead}")
