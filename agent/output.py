"""From the text of a final answer to the type that was asked for."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..harmony import ResponseFormat

OutputT = TypeVar("OutputT")

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(?P<json>.*)\n\s*```\s*\Z", re.DOTALL)


class OutputFormat(Generic[OutputT]):
    """The type of a run's output: what the model is told of it, and how its answer is read.

    output_type: `str` takes the answer as it stands. Any other type that pydantic knows (a model,
        dataclass, TypedDict, Literal, union, list, number) is asked for as JSON and validated.
    """

    def __init__(self, output_type: type[OutputT]) -> None:
        self._adapter: TypeAdapter[OutputT] = TypeAdapter(output_type)
        self._free = output_type is str
        self.schema = None if self._free else self._adapter.json_schema()
        """JSON Schema of the answer; None for free text."""
        self._name = getattr(output_type, "__name__", "answer")

    @property
    def response_formats(self) -> tuple[ResponseFormat, ...]:
        """What the developer message says of the type; nothing for `str`."""
        return () if self.schema is None else (ResponseFormat(self._name, self.schema),)

    def parse(self, text: str) -> OutputT:
        """The answer as the asked type. Raises ValueError with words the model can act on."""
        if self._free:
            return self._adapter.validate_python(text)
        fenced = _FENCED.match(text)
        try:
            return self._adapter.validate_json(fenced["json"] if fenced else text)
        except ValidationError as error:
            raise ValueError(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    """Pydantic's findings, a line each: the place, then what is wrong with it."""
    lines = [f"- {_place(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False)]
    return "\n".join(lines)


def _place(loc: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in loc) or "answer"
