"""Decoding of bytes: by byte order mark, by the declared charset, or by trying UTF-8.

Source: WHATWG HTML, "Determining the character encoding", and its Encoding Standard for the labels.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import webencodings

_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,80}?encoding\s*=\s*[\"']\s*([\w.:-]+)", re.IGNORECASE)
_TAG = re.compile(
    rb"""
    <!--.*?-->                                                     # a comment; `<!-->` is one too
    | <!-->
    | <[!?/][^>]*>                                                 # a declaration or an end
    | <([a-z][^\s/>]*) ( (?: [^>"'] | "[^"]*" | '[^']*' )* )       # a tag and its attributes
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_VALUE = rb"""\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>;"']*))"""
_ATTRIBUTE = re.compile(rb"([^\s/>=]+)(?:%s)?" % _VALUE)
_CONTENT_CHARSET = re.compile(b"charset" + _VALUE, re.IGNORECASE)
_MARKUP_BYTES = 4096
"""How much of a page may declare its charset."""
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16le",
    codecs.BOM_UTF16_BE: "utf-16be",
}
_SUPERSETS = {"gbk": "gb18030"}
"""Encodings whose decoder is that of another one."""


def decode_text(data: bytes, charset: str | None, *, markup: bool, truncated: bool) -> str:
    """Return the bytes as text, with U+FFFD for bytes that cannot be decoded.

    charset: the charset that the server declares. A byte order mark overrides it.
    markup: whether the text itself may declare its charset.
    truncated: whether the data is cut, possibly in the middle of its last character.
    """
    for mark, label in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _decode(data.removeprefix(mark), label, truncated=truncated)
    declared = charset and _known(charset)
    if not declared and markup:
        declared = _declared_in(data[:_MARKUP_BYTES])
    if declared:
        return _decode(data, declared, truncated=truncated)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=not truncated)
    except UnicodeDecodeError:
        return _decode(data, "windows-1252", truncated=truncated)


def _decode(data: bytes, name: str, *, truncated: bool) -> str:
    encoding = webencodings.lookup(_SUPERSETS.get(name, name))
    if encoding is None:
        raise LookupError(name)
    decoder = encoding.codec_info.incrementaldecoder("replace")
    return decoder.decode(data, final=not truncated)


def _known(label: str) -> str | None:
    """Return the name of the encoding for a label, or None if the label is unknown."""
    encoding = webencodings.lookup(label.strip("\"' \t\r\n\f"))
    return None if encoding is None else encoding.name


def _declared_in(head: bytes) -> str | None:
    """Return the encoding that the beginning of a page declares; unknown labels are skipped."""
    for label in _labels(head):
        name = _known(label.decode("ascii", "replace"))
        if name:
            # A label that could be read as ASCII cannot be in UTF-16.
            return {"utf-16le": "utf-8", "utf-16be": "utf-8"}.get(name, name)
    return None


def _labels(head: bytes) -> Iterator[bytes]:
    if found := _XML_ENCODING.match(head):
        yield found[1]
    at = 0
    while (at := head.find(b"<", at)) >= 0:
        tag = _TAG.match(head, at)
        if tag is None and head.startswith(b"<!--", at):
            # What follows belongs to a comment that does not end here.
            return
        if tag and tag[1] and tag[1].lower() == b"meta":
            yield from _labels_of(tag[2])
        at = tag.end() if tag else at + 1


def _labels_of(attributes: bytes) -> Iterator[bytes]:
    """Yield the labels in the attributes of a `meta` element."""
    values: dict[bytes, bytes] = {}
    for name, *alternatives in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), b"".join(alternatives))
    if b"charset" in values:
        yield values[b"charset"]
    if values.get(b"http-equiv", b"").lower() == b"content-type":
        for found in _CONTENT_CHARSET.finditer(values.get(b"content", b"")):
            yield b"".join(found.groups(default=b""))
