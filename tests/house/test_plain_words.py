"""The project's names and English: no old names, one meaning of `answer`, no stilted phrases."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Collection, Iterator
from itertools import groupby

import pytest

from tests.house.sources import ROOT, Source, scripts, sources
from tests.house.vocabulary import (
    EXCEPTIONS,
    FINAL_TEXT_NAMES,
    FINAL_TEXT_PLACES,
    LOOP_VARIABLES,
    OLD_DEFINITIONS,
    OLD_MODULES,
    OLD_NAMES,
    OLD_STATE_FIELDS,
    PHRASE_EXAMPLES,
    PHRASES,
)

AREAS = ("agent", "harmony", "sandbox", "tools", "examples", "tests", "")
"""The top-level folders with sources, and the root itself."""

by_area = pytest.mark.parametrize("area", AREAS)


@by_area
def test_modules_have_no_old_names(area: str) -> None:
    check(area, lambda source: {name for name in path_names(source) if is_old_module(source, name)})


@by_area
def test_identifiers_have_no_old_names(area: str) -> None:
    check(area, old_names)


@by_area
def test_loop_variables_say_what_they_are(area: str) -> None:
    check(area, lambda source: loop_variables(source.tree) & LOOP_VARIABLES)


@by_area
def test_answer_means_the_final_text_of_the_model(area: str) -> None:
    check(area, misused_final_text_names)


@by_area
def test_the_english_is_plain(area: str) -> None:
    check(area, stilted_lines)


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_is_found_where_it_is_and_nowhere_else(phrase: str) -> None:
    stilted, plain = PHRASE_EXAMPLES[phrase]
    assert stilted_phrases(stilted) == [phrase]
    assert stilted_phrases(plain) == []


def test_the_same_name_is_old_in_one_place_and_fine_in_another() -> None:
    def is_old(place: str) -> bool:
        source = Source("", ROOT / place, ast.Module([], []))
        return any(is_old_module(source, name) for name in path_names(source))

    assert is_old("sandbox/serving.py")
    assert is_old("sandbox/network/serving.py")
    assert is_old("tests/sandbox/test_serving.py")
    assert not is_old("agent/serving/app.py")
    assert is_old("tools/browser/web.py")
    assert not is_old("tools/web/session.py")


def test_words_are_found_in_identifiers_of_every_style() -> None:
    assert word_parts("AnswerDelta") == {"answer", "delta"}
    assert word_parts("_print_answers") == {"print", "answer"}
    assert word_parts("ANSWER_S") == {"answer", "s"}
    assert word_parts("ToolCallAnswered") == {"tool", "call", "answer"}


def check(area: str, find: Callable[[Source], Collection[str]]) -> None:
    """Fail with everything that `find` finds in the sources of an area."""
    everything = [*sources().values(), *scripts().values()]
    found = [
        f"{source.place}: {problem}"
        for source in everything
        if area == (source.place.partition("/")[0] if "/" in source.place else "")
        for problem in sorted(find(source))
    ]
    assert not found, "\n".join(["", *found])


def old_names(source: Source) -> set[str]:
    """Return the identifiers of a file that have old names."""
    tree = source.tree
    return (
        {name for name in identifiers(tree) if is_listed(OLD_NAMES, source, name.lstrip("_"))}
        | {name for name in definitions(tree) if is_listed(OLD_DEFINITIONS, source, name)}
        | {name for name in state_fields(tree) if is_listed(OLD_STATE_FIELDS, source, name)}
    )


def misused_final_text_names(source: Source) -> set[str]:
    """Return the identifiers of a file that contain `answer` and mean something else by it."""
    names = {name for name in identifiers(source.tree) if "answer" in word_parts(name)}
    if place_without_tests(source).startswith(FINAL_TEXT_PLACES):
        names -= FINAL_TEXT_NAMES
    return {name for name in names if not name.startswith("test_")}


def stilted_lines(source: Source) -> list[str]:
    """Return the stilted phrases of a file, each with its line and text."""
    exceptions = [names for place, names in EXCEPTIONS.items() if source.place.startswith(place)]
    allowed = frozenset[str]().union(*exceptions)
    return [
        f"line {line}: {phrase}: {text}"
        for line, text in prose(source)
        for phrase in stilted_phrases(text)
        if phrase not in allowed
    ]


def path_names(source: Source) -> list[str]:
    """Return the names of a file and of the folders that contain it."""
    return source.place.removesuffix(".py").split("/")


def place_without_tests(source: Source) -> str:
    """Return the path without a leading `tests/`: tests use the names of what they test."""
    return source.place.removeprefix("tests/")


def is_old_module(source: Source, name: str) -> bool:
    """Tell whether a file or folder of the path has an old name, as `test_` files do too."""
    return is_listed(OLD_MODULES, source, name.removeprefix("test_"))


def is_listed(table: frozenset[tuple[str, str]], source: Source, name: str) -> bool:
    """Tell whether the table lists the name for a folder that contains the file."""
    *folders, _ = place_without_tests(source).split("/")
    return any(("/".join(folders[:depth]), name) in table for depth in range(len(folders) + 1))


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield every name that the code defines or uses."""
    yield from definitions(tree)
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case ast.alias(asname=str(name)):
                yield name
            case _:
                pass


def definitions(tree: ast.AST) -> Iterator[str]:
    """Yield the name of every class, function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def state_fields(tree: ast.AST) -> Iterator[str]:
    """Yield the names of all attributes and methods of classes whose name ends in `State`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("State"):
            yield from definitions(ast.Module(node.body, []))
            for part in ast.walk(node):
                match part:
                    case ast.AnnAssign(target=ast.Name(id=name)):
                        yield name
                    case ast.Attribute(value=ast.Name(id="self"), attr=name):
                        yield name
                    case _:
                        pass


def loop_variables(tree: ast.AST) -> set[str]:
    """Return the names that the loops and comprehensions of a module assign to."""
    loops = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension)
    ]
    targets = [part for loop in loops for part in ast.walk(loop.target)]
    return {part.id for part in targets if isinstance(part, ast.Name)}


def word_parts(name: str) -> set[str]:
    """Return the words of an identifier in lower case, forms of `answer` as `answer`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {re.sub(r"^answer(?:s|ed|ing)$", "answer", word.lower()) for word in words}


def prose(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string literal and block of comments."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())
    with source.path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    # Lines of one block have the same difference between their number and their position.
    for _, block in groupby(enumerate(comments), lambda item: item[1].start[0] - item[0]):
        lines = [comment for _, comment in block]
        yield lines[0].start[0], " ".join(line.string.lstrip("#: ") for line in lines)


def stilted_phrases(text: str) -> list[str]:
    """Return the names of the phrases that a text contains."""
    return [name for name, pattern in PHRASES.items() if re.search(pattern, text, re.IGNORECASE)]
