"""Bytes as text: by their first bytes, by what was said of them, or by what fits."""

from __future__ import annotations

import codecs
import re

_META = re.compile(
    rb"<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,80}?encoding)\s*=\s*[\"']?\s*([\w.:-]+)",
    re.IGNORECASE,
)
_META_BYTES = 4096
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Pages that say the one mean the other. Source: WHATWG Encoding Standard, labels.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    # A page that was readable enough to say so was not.
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
_LABELS = {"x-sjis": "cp932", "windows-31j": "cp932", "x-gbk": "gb18030", "ks_c_5601-1987": "cp949"}


def decode_text(data: bytes, charset: str | None, *, markup: bool, cut: bool) -> str:
    """The bytes as text; what cannot be read is U+FFFD.

    charset: as the server says; a mark in the first bytes counts more.
    markup: whether the page itself may say its charset.
    cut: whether there was more; the last character may have been cut in two.
    """
    mark = next((name for start, name in _MARKS.items() if data.startswith(start)), None)
    meta = _META.search(data[:_META_BYTES]) if markup else None
    said = (charset and _codec(charset), meta and _codec(meta[1].decode(), readable=True))
    for name in (mark, *said):
        if name:
            return codecs.getincrementaldecoder(name)("replace").decode(data, final=not cut)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=not cut)
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _codec(label: str, *, readable: bool = False) -> str | None:
    """Python's name of what a label means; None if there is no such charset.

    readable: whether the label was read in the page's own bytes.
    """
    name = label.strip().strip("\"'").lower()
    try:
        known = codecs.lookup(_LABELS.get(name, name)).name
    except LookupError:
        return None
    if known.startswith("utf-16") and not readable:
        return known
    return _MEANT.get(known, known)
