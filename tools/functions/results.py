"""What a function returned, in words for the model."""

from __future__ import annotations

from typing import Any, cast

from pydantic_core import to_json

from ..protocol import Attachment, ToolReturn

EMPTY = "Done; there is nothing to return."

# The first bytes of what tools return most; the model opens a file by its ending.
_ENDINGS = {
    b"\x89PNG\r\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"%PDF-": ".pdf",
    b"PK\x03\x04": ".zip",
    b"\x1f\x8b": ".gz",
}


def as_result(value: Any, name: str) -> ToolReturn:
    """Put a value into words: a str as it is, nothing as a note, bytes as a file, the rest as JSON.

    name: of the tool, for the file.

    Raises PydanticSerializationError if the value is no data: it has neither a form in JSON nor
    a text of its own.
    """
    if isinstance(value, ToolReturn):
        return value
    if value is None:
        return ToolReturn(EMPTY)
    if isinstance(value, str):
        return ToolReturn(str(value) or EMPTY)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(cast("bytes", value))
        return ToolReturn("", attached=(Attachment(name + _ending(data), data),))
    text = to_json(value, fallback=_own_text, bytes_mode="base64", inf_nan_mode="constants")
    return ToolReturn(text.decode())


def _ending(data: bytes) -> str:
    return next((ending for magic, ending in _ENDINGS.items() if data.startswith(magic)), ".bin")


def _own_text(value: object) -> str:
    """What the object's class has to say of it; the default, a memory address, says nothing."""
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        raise TypeError(f"a {kind.__qualname__} has no form a model could read")
    return str(value)
