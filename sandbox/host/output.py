"""The output of a cell as text."""

from __future__ import annotations

import codecs

from ..kernel import Header
from ..protocol import Execution, ExecutionError, OnOutput, Stream
from .paths import replace_surrogates, to_absolute


class CellOutput:
    """Collects the text of stdout and stderr, and passes it to a callback.

    A character may be split across frames.
    """

    def __init__(self, on_output: OnOutput | None) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {"stdout": decoder("replace"), "stderr": decoder("replace")}
        self._texts: dict[Stream, list[str]] = {"stdout": [], "stderr": []}
        self._on_output = on_output

    def on_frame(self, header: Header, body: bytes) -> None:
        """Add one frame of output."""
        stream: Stream = "stderr" if header.get("stream") == "stderr" else "stdout"
        self._add(stream, self._decoders[stream].decode(body))

    def execution(self, reply: Header, duration_s: float) -> Execution:
        """Return the outcome of the cell.

        reply: the header of its last frame.
        """
        for stream in self._texts:
            self._add(stream, self._decoders[stream].decode(b"", final=True))
        error: dict[str, str] | None = reply["error"]
        result: str | None = reply["result"]
        return Execution(
            stdout="".join(self._texts["stdout"]),
            stderr="".join(self._texts["stderr"]),
            result=result and replace_surrogates(result),
            error=ExecutionError(**_encodable(error)) if error else None,
            files=tuple(to_absolute(path) for path in reply["files"]),
            timed_out=reply["timed_out"],
            duration_s=duration_s,
            state_lost=reply["state_lost"],
        )

    def _add(self, stream: Stream, text: str) -> None:
        if text:
            self._texts[stream].append(text)
            if self._on_output is not None:
                self._on_output(stream, text)


def _encodable(error: dict[str, str]) -> dict[str, str]:
    return {name: replace_surrogates(text) for name, text in error.items()}
