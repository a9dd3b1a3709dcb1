"""Decoding of bytes: by byte order mark, by the declared charset, or by trying UTF-8."""

from __future__ import annotations

import codecs
import re

_META = re.compile(
    rb"<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,80}?encoding)\s*=\s*[\"']?\s*([\w.:-]+)",
    re.IGNORECASE,
)
_META_BYTES = 4096
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What pages mean by a label. Source: WHATWG Encoding Standard, labels.
_OVERRIDES = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    # A label that could be read as ASCII cannot be in UTF-16.
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
_ALIASES = {
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
}


def decode_text(data: bytes, charset: str | None, *, markup: bool, truncated: bool) -> str:
    """Return the bytes as text, with U+FFFD for bytes that cannot be decoded.

    charset: the charset that the server declares. A byte order mark overrides it.
    markup: whether the text itself may declare its charset.
    truncated: whether the data is cut, possibly in the middle of its last character.
    """
    marks = (name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark))
    meta = _META.search(data[:_META_BYTES]) if markup else None
    candidates = (
        next(marks, None),
        charset and _codec_name(charset),
        meta and _codec_name(meta[1].decode(), in_page=True),
    )
    for name in candidates:
        if name:
            return codecs.getincrementaldecoder(name)("replace").decode(data, final=not truncated)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=not truncated)
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _codec_name(label: str, *, in_page: bool = False) -> str | None:
    """Return Python's codec for a charset label, or None if the label is unknown.

    in_page: whether the label was found in the page itself.
    """
    label = label.strip().strip("\"'").lower()
    try:
        name = codecs.lookup(_ALIASES.get(label, label)).name
    except LookupError:
        return None
    if name.startswith("utf-16") and not in_page:
        return name
    return _OVERRIDES.get(name, name)
