"""Units of the kernel: frames, captured output, shortened text."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossia.sandbox.kernel.capture import StreamCapture
from ossia.sandbox.kernel.frames import MAX_BODY, FrameError, Unpacker, pack
from ossia.sandbox.kernel.shorten import shorten

FRAMES = st.lists(
    st.tuples(st.dictionaries(st.text(), st.integers() | st.text()), st.binary()), max_size=5
)


@settings(deadline=None, max_examples=50)
@given(FRAMES, st.data())
def test_frames_are_decoded_however_the_bytes_are_split(
    frames: list[tuple[dict[str, object], bytes]], data: st.DataObject
) -> None:
    stream = b"".join(pack(header, body) for header, body in frames)
    unpacker, decoded = Unpacker(), list[tuple[dict[str, object], bytes]]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        unpacker.feed(stream[:size])
        stream = stream[size:]
        while frame := unpacker.next():
            decoded.append(frame)
    assert decoded == frames


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", 1 << 31, 0),
        struct.pack(">II", 2, MAX_BODY + 1),
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 2, 0) + b"{x",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_invalid_frames_are_refused(data: bytes) -> None:
    unpacker = Unpacker()
    unpacker.feed(data)
    with pytest.raises(FrameError):
        unpacker.next()


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30), st.integers(2, 400))
def test_captured_output_keeps_both_ends(parts: list[bytes], cap: int) -> None:
    whole = b"".join(part.replace(b"\xff", b"x") for part in parts)
    capture = StreamCapture("/nonexistent/folder/file", cap)
    text = b"".join(capture.feed(part.replace(b"\xff", b"x")) for part in parts)
    assert whole.startswith(text)
    assert len(text) == min(len(whole), cap // 2)
    rest = capture.finish()
    if len(whole) <= cap // 2 * 2:
        assert (text + rest).startswith(text)
    note, separator, tail = rest.rpartition(b" ...]\n")
    assert whole.endswith(tail if separator else rest)
    if separator:
        omitted = int(note.split(b" bytes omitted")[0].rpartition(b"[... ")[2])
        assert omitted == len(whole) - len(text) - len(tail)


def test_omitted_output_is_in_the_file(tmp_path: Path) -> None:
    capture = StreamCapture(str(tmp_path / "out.txt"), 20)
    head = b"".join(capture.feed(bytes([65 + i]) * 10) for i in range(5))
    rest = capture.finish()
    assert head == b"A" * 10
    assert rest == (
        f"\n[... 30 bytes omitted; all 50 bytes are in {tmp_path}/out.txt ...]\n".encode()
        + b"E" * 10
    )
    assert (tmp_path / "out.txt").read_bytes() == b"".join(bytes([65 + i]) * 10 for i in range(5))


def test_short_text_is_unchanged_and_long_text_keeps_both_ends(tmp_path: Path) -> None:
    path = str(tmp_path / "whole.txt")
    assert shorten("short", 10, path) == "short"
    assert shorten("a" * 5 + "b" * 90 + "c" * 5, 10, path) == (
        f"aaaaa\n[... 90 characters omitted; the full text is in {path} ...]\nccccc"
    )
    assert (tmp_path / "whole.txt").read_text() == "a" * 5 + "b" * 90 + "c" * 5
    # An existing file is not overwritten.
    assert "was not saved" in shorten("x" * 100, 10, path)
