"""The return value of a function as text for the model."""

from __future__ import annotations

from typing import Any, cast

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from ...harmony.format import encodable
from ..protocol import Attachment, ToolReturn

NO_VALUE = "Done. Nothing was returned."

# The first bytes of the most common file types. The model opens a file by its extension.
_EXTENSIONS = {
    b"\x89PNG\r\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"%PDF-": ".pdf",
    b"PK\x03\x04": ".zip",
    b"\x1f\x8b": ".gz",
}


def to_tool_return(value: Any, name: str) -> ToolReturn:
    """Convert a value: a str stays as it is, None is a note, bytes are a file, the rest is JSON.

    name: of the tool, for the file.

    Raises PydanticSerializationError if the value has neither a form in JSON nor a text of its own.
    """
    if isinstance(value, ToolReturn):
        return value
    if value is None:
        return ToolReturn(NO_VALUE)
    if isinstance(value, str):
        return ToolReturn(str(value) or NO_VALUE)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(cast("bytes", value))
        return ToolReturn("", attachments=(Attachment(name + _extension(data), data),))
    return ToolReturn(_json(value))


def _json(value: Any) -> str:
    options: Any = {"fallback": _to_text, "inf_nan_mode": "constants"}
    try:
        return to_json(value, bytes_mode="base64", **options).decode()
    except PydanticSerializationError:
        # It may contain lone surrogates, which plain Python objects can have.
        plain = to_jsonable_python(encodable(value), bytes_mode="base64", **options)
        return to_json(encodable(plain), inf_nan_mode="constants").decode()


def _extension(data: bytes) -> str:
    matches = (extension for magic, extension in _EXTENSIONS.items() if data.startswith(magic))
    return next(matches, ".bin")


def _to_text(value: object) -> str:
    """Return the text of an object; the default text, a memory address, means nothing."""
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        raise TypeError(f"a {kind.__qualname__} has no text that a model can read")
    return str(value)
