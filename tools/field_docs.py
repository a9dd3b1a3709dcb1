"""The docstrings of fields, where `help()` shows them: in the docstring of the class."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent, indent
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


def document_fields(documented: Class) -> Class:
    """Add the docstrings of the fields to the docstring of a class, also of those it inherits.

    They are read from the source when somebody asks for the docstring, so importing costs nothing.
    Without the source, the docstring stays as it is. For a class with a metaclass, such as a
    protocol, `help()` does not read such docstrings.
    """
    documented.__doc__ = _Docstring(documented.__doc__ or "")  # type: ignore[assignment]
    return documented


class _Docstring:
    """A docstring that is completed when it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._complete: str | None = None

    def __get__(self, instance: object, owner: type[Any]) -> str:
        if self._complete is None:
            fields: dict[str, str] = {}
            for base in reversed(owner.__mro__):
                fields |= dict(_field_docs(base))
            listed = [f"{name}:\n{indent(text, '    ')}" for name, text in fields.items()]
            self._complete = "\n\n".join(filter(None, [inspect.cleandoc(self._text), *listed]))
        return self._complete


def _field_docs(documented: type[Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a class that have a docstring, in the order of the source."""
    if not documented.__module__.startswith("ossia."):
        return
    try:
        tree = ast.parse(dedent(inspect.getsource(documented)))
    except (OSError, TypeError, SyntaxError):
        return
    (definition,) = tree.body
    assert isinstance(definition, ast.ClassDef), "the source of a class is its definition"
    for field, below in pairwise(definition.body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(below.value.value)
