r"""Rules of the JSON strings that match patterns.

No string contains `<|` as such: the name of a control token would be valid text in a JSON string,
and the grammar engine would then admit the token itself. It can be written as `<\u007c`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

from .automaton import (
    State,
    accepts,
    complement,
    find_anywhere,
    intersection,
    without_dead_ends,
)
from .characters import ANY, CONTROLS, Characters
from .ebnf import Rules, character_class, either, literal
from .pattern_parser import UnsupportedPatternError

STRING = "string"
"""The rule of any JSON string."""
_SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_NEVER_RAW = CONTROLS | Characters.listed('"\\<')
_BAR = Characters.listed("|")
_ESCAPED_BY_CODE = CONTROLS - Characters.listed(_SHORT) | Characters.listed("<|")
_MAX_AVOIDED = 60
"""The most characters of texts to avoid: each takes the grammar engine about 20 ms, once."""
_ANY_TEXT: tuple[State, ...] = (State(accepts=True, moves=((ANY, 0),)),)


def json_text(text: str) -> str:
    """Return a JSON string without `<|`, and with escapes for lone surrogates."""
    written = json.dumps(text, ensure_ascii=False).replace("<|", "<\\u007c")
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", written)


def matches(pattern: str, text: str) -> bool | None:
    """Tell whether a pattern is found in a text; None if dialects differ or it cannot be read."""
    try:
        if accepts(find_anywhere(pattern, certain=True), text):
            return True
        return None if accepts(find_anywhere(pattern), text) else False
    except UnsupportedPatternError:
        return None


class StringRules:
    """The rules of strings in one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._names: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
        self._avoided = 0
        self._add(STRING, _ANY_TEXT)

    def matching(self, patterns: Iterable[str], avoided: Iterable[str] = ()) -> str | None:
        """Return the rule of the strings that match patterns; None if there are none.

        patterns: what is found in the string; all of them.
        avoided: what is not found in it; none of them.

        Patterns that an automaton cannot express are left to validation.
        """
        key = (tuple(sorted(set(patterns))), tuple(sorted(set(avoided))))
        if key in self._names:
            return self._names[key]
        states = _ANY_TEXT
        for pattern in (*key[0], *key[1]):
            try:
                if pattern in key[0]:
                    found = find_anywhere(pattern)
                else:
                    found = complement(find_anywhere(pattern, certain=True))
                states = intersection(states, found)
            except UnsupportedPatternError:
                continue
        if states == _ANY_TEXT:
            self._names[key] = STRING
            return STRING
        alive = without_dead_ends(states)
        if alive is None:
            return None
        self._names[key] = self._add("pattern", alive)
        return self._names[key]

    def other_than(self, texts: Sequence[str]) -> list[str]:
        """Return the patterns that a string must avoid to be none of the texts.

        There are none if the texts of the grammar are too long together.
        """
        self._avoided += sum(map(len, texts))
        if not texts or self._avoided > _MAX_AVOIDED:
            return []
        return [f"^(?:{'|'.join(map(re.escape, texts))})$"]

    def _add(self, stem: str, states: tuple[State, ...]) -> str:
        """Add a rule for each state, and one for each state after a `<`; return the first."""
        name = self._rules.new_name(stem)
        names: dict[tuple[int, bool], str] = {}

        def name_of(state: int, after_less: bool) -> str:
            if (state, after_less) not in names:
                names[state, after_less] = self._rules.new_name(f"{name}_s{state}")
                waiting.append((state, after_less))
            return names[state, after_less]

        waiting = list[tuple[int, bool]]()
        self._rules.define(name, f'"\\"" {name_of(0, False)}')
        while waiting:
            state, after_less = waiting.pop()
            body = _rest_of_string(states[state], name_of, after_less=after_less)
            self._rules.define(names[state, after_less], body)
        return name


def _rest_of_string(state: State, name_of: Callable[[int, bool], str], *, after_less: bool) -> str:
    """Return what can follow in a string, from a state of its automaton."""
    options = ['"\\""'] if state.accepts else []
    for characters, target in state.moves:
        if raw := characters - _NEVER_RAW - (_BAR if after_less else Characters()):
            options.append(f"{character_class(raw)} {name_of(target, False)}")
        if "<" in characters:
            options.append(f'"<" {name_of(target, True)}')
        if escape := _escape(characters):
            options.append(f"{literal(chr(92))} {escape} {name_of(target, False)}")
    return either(options)


def _escape(characters: Characters) -> str:
    """Return what can follow a backslash, for one of the characters."""
    if characters == ANY:
        return '(["\\\\/bfnrt] | "u" [0-9A-Fa-f]{4})'
    options = list[str]()
    if short := [letter for char, letter in _SHORT.items() if char in characters]:
        options.append(character_class(Characters.listed(short)))
    for sixteen in (0x00, 0x10, 0x30, 0x70):
        row = Characters.of((sixteen, sixteen + 15)) & characters & _ESCAPED_BY_CODE
        digits = [
            f"{code - sixteen:x}" for low, high in row.ranges for code in range(low, high + 1)
        ]
        if digits:
            either_case = Characters.listed([*digits, *(digit.upper() for digit in digits)])
            options.append(f'"u00{sixteen >> 4:x}" {character_class(either_case)}')
    return either(options) if options else ""
