"""Docstrings as people write them: every description reaches the model."""

from __future__ import annotations

import pytest

from ossia.tools.functions.docstring import parse_docstring

BOTH = {"x": "the x", "y": "the y"}

SECTIONS = {
    "without a summary": "Args:\n    x: the x\n    y: the y",
    "without colons": "Args:\n    x the x\n    y the y",
    "one without a colon": "Args:\n    x the x\n    y: the y",
    "types": "Args:\n    x (int): the x\n    y (Callable[[int], str], optional): the y",
    "types without colons": "Args:\n    x (int) the x\n    y (dict[str, int]) the y",
    "bullets": "Args:\n    - x: the x\n    - y: the y",
    "stars as bullets": "Args:\n    * x: the x\n    * y: the y",
    "numbers": "Args:\n    1. x: the x\n    2. y: the y",
    "backquotes": "Args:\n    `x`: the x\n    `y` (`int`, *optional*): the y",
    "double backquotes": "Args:\n    ``x``: the x\n    ``y``: the y",
    "bold": "Args:\n    - **x** (int): the x\n    - **y**: the y",
    "quotes": "Args:\n    'x': the x\n    \"y\": the y",
    "dashes": "Args:\n    x - the x\n    y -- the y",
    "long dashes": "Args:\n    x \N{EN DASH} the x\n    y \N{EM DASH} the y",
    "equals": "Args:\n    x = the x\n    y = the y",
    "not indented": "Args:\nx: the x\ny: the y",
    "not indented bullets": "Parameters:\n- x: the x\n- y: the y",
    "on the line of the header": "Args: x: the x\n      y: the y",
    "blank lines between": "Args:\n    x: the x\n\n    y: the y",
    "Keyword Args": "Args:\n    x: the x\nKeyword Args:\n    y: the y",
    "Keyword Arguments": "Args:\n    x: the x\n\nKeyword Arguments:\n    y: the y",
    "Other Parameters": "Parameters:\n    x: the x\n\nOther Parameters:\n    y: the y",
    "capitals": "ARGUMENTS:\n    x: the x\n    y: the y",
    "Inputs": "Inputs:\n    x: the x\n    y: the y",
    "stars": "Args:\n    *x: the x\n    **y: the y",
    "escaped stars": "Args:\n    \\*x: the x\n    \\*\\*y: the y",
    "NumPy": "Parameters\n----------\nx : int\n    the x\ny : int, optional\n    the y",
    "NumPy without types": "Parameters\n----------\nx\n    the x\ny\n    the y",
    "NumPy on one line": "Parameters\n----------\nx: the x\ny: the y",
    "NumPy's other": "Parameters\n---\nx\n    the x\n\nOther Parameters\n---\ny : int\n    the y",
    "Sphinx": ":param x: the x\n:param int y: the y\n:type x: int",
    "Sphinx's keywords": ":arg x: the x\n:keyword y: the y",
    "Sphinx, wrapped": ":param x: the\n    x\n:param y:\n    the y",
    "Epytext": "@param x: the x\n@type x: int\n@param y: the y",
    "two styles": "Args:\n    x: the x\n\n:param y: the y",
}


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)
@pytest.mark.parametrize("summary", ["", "Add two numbers.\n\n", "Add two numbers.\n"])
def test_every_description_reaches_the_model(summary: str, section: str) -> None:
    docstring = parse_docstring(summary + section, ["x", "y"])
    described = {name: " ".join(text.split()) for name, text in docstring.parameters.items()}
    assert (docstring.description, described) == (summary.strip(), BOTH)


@pytest.mark.parametrize(
    "section",
    [
        "Args:\n    x, y: both",
        "Args:\n    x and y: both",
        "Args:\n    x / y: both",
        "Args:\n    `x`, `y` (int): both",
        "Parameters\n----------\nx, y : int\n    both",
    ],
)
def test_parameters_can_share_a_description(section: str) -> None:
    assert parse_docstring(section, ["x", "y"]).parameters == {"x": "both", "y": "both"}


@pytest.mark.parametrize(
    ("written", "description"),
    [
        ("Note:\n    Slow.", "Note:\n    Slow."),
        ("Note: Slow.", "Note: Slow."),
        ("Warning:\n    It deletes.", "Warning:\n    It deletes."),
        ("Notes\n-----\nSlow.", "Notes:\nSlow."),
        ("Warnings\n--------\nSlow.\n\nReferences\n----------\nA book.", "Warnings:\nSlow."),
        (".. warning::\n    It deletes.", ".. warning::\n    It deletes."),
        ("Only for text.", "Only for text."),
        ("Returns:\n    int: the sum", "Returns: int: the sum"),
        ("Returns: the sum", "Returns: the sum"),
        ("Returns\n-------\nint\n    the sum", "Returns: int: the sum"),
        ("Returns\n---\na : int\n    one\nb : int\n    two", "Returns: a : int: one\nb : int: two"),
        (":return: the sum", "Returns: the sum"),
        (":rtype: int\n:return: the sum", "Returns: int: the sum"),
        ("Yields:\n    sums", "Yields: sums"),
        ("Raises:\n    ValueError: if it is bad", ""),
        (":raises ValueError: if it is bad", ""),
        ("Example:\n    >>> add(1, 2)\n    3", ""),
        ("Examples\n--------\n>>> add(1, 2)\n3", ""),
    ],
)
@pytest.mark.parametrize(
    "parameters",
    ["Args:\n    x: the x\n    y: the y\n\n", "Parameters\n----------\nx: the x\ny: the y\n\n"],
    ids=["Google", "NumPy"],
)
def test_what_follows_the_parameters(parameters: str, written: str, description: str) -> None:
    docstring = parse_docstring(f"Add.\n\n{parameters}{written}", ["x", "y"])
    assert docstring.description == f"Add.\n\n{description}".strip()
    assert docstring.parameters == BOTH


@pytest.mark.parametrize(
    "text",
    [
        "Args: none.",
        "Arguments:\n    None",
        "Parameters are read from a file: all of them.",
        "Example: add(1, 2)",
        "See https://example.com/a:b for x: it is there.",
        "A table:\n\n    x: 1\n    y: 2",
        "x: the x",
        "Use it like this::\n\n    add(x, y)",
    ],
)
def test_text_that_is_no_section_stays(text: str) -> None:
    docstring = parse_docstring(text, ["x", "y"])
    assert (docstring.description, docstring.parameters) == (text, {})


def test_a_description_keeps_its_paragraphs_and_lists() -> None:
    text = "Args:\n    x: the x\n        more\n\n        - one: 1\n        - two: 2\n    y: the y"
    docstring = parse_docstring(text, ["x", "y"])
    assert docstring.parameters == {
        "x": "the x\nmore\n\n- one: 1\n- two: 2",
        "y": "the y",
    }


def test_a_description_may_be_wrapped_without_indentation() -> None:
    text = "Args:\n    x: the\n    one\n\n    and only\n    y: the y"
    docstring = parse_docstring(text, ["x", "y"])
    assert docstring.parameters == {"x": "the\none\n\nand only", "y": "the y"}


def test_a_part_of_a_parameter_is_described_with_it() -> None:
    text = ":param x: options\n:param x.depth: how deep\n:param x[0]: the first"
    assert parse_docstring(text, ["x"]).parameters == {
        "x": "options\nx.depth: how deep\nx[0]: the first"
    }


def test_hidden_parameters_are_left_out() -> None:
    text = "Add.\n\nArgs:\n    key (str): the API key\n    x: the x\n    old: not there any more"
    docstring = parse_docstring(text, ["x"], hidden=["key"])
    assert (docstring.description, docstring.parameters) == ("Add.", {"x": "the x"})


def test_keywords_without_a_name_are_described_with_the_function() -> None:
    text = "Add.\n\nArgs:\n    x: the x\n    **more: others\n\nKeyword Args:\n    depth: how deep"
    docstring = parse_docstring(text, ["x"], others="more")
    assert docstring.description == "Add.\n\nmore: others\n\ndepth: how deep"
    assert docstring.parameters == {"x": "the x"}
