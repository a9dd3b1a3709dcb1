"""What a vLLM server died of, as its log tells it.

An engine's process logs its traceback, and the server's process one of its own behind it, which
says no more than that the engine did not start: the cause stands somewhere above the end.
Source: logs of vLLM 0.32.
"""

from __future__ import annotations

import re

_PREFIX = r"(?:\(\w+ pid=\d+\) )?(?:[A-Z]+ \d\d-\d\d [\d:]+ \[[^\]]+\] )?"
_FAULT = re.compile(rf"{_PREFIX}((?:\w+\.)*\w*(?:Error|Exception)\b(?:: .*)?|\S+: error: .*)")
_MORE = re.compile(rf"{_PREFIX}(\s+\S.*)")
_NO_CAUSE = "Engine core initialization failed"
MOST_LINES = 3
MOST_CHARACTERS = 600


def find_crash_cause(log: str) -> str:
    """The exception that ended the server, with the lines that belong to it; "" if there is none.

    log: all that it wrote, shape (n characters,).
    """
    lines = log.splitlines()
    found = ""
    for at, line in enumerate(lines):
        told = _FAULT.fullmatch(line)
        if told is None or _NO_CAUSE in line:
            continue
        found = told[1]
        for more in map(_MORE.fullmatch, lines[at + 1 : at + MOST_LINES]):
            if more is None:
                break
            found += "\n" + more[1]
    return found[:MOST_CHARACTERS]
