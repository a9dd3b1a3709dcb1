"""The cause of a vLLM server's crash, found in its log.

The engine process logs the traceback of the real error. The server process then logs a second
traceback that only says that the engine did not start. So the cause is above the end of the log.
Source: logs of vLLM 0.32.
"""

from __future__ import annotations

import re

_PREFIX = r"(?:\(\w+ pid=\d+\) )?(?:[A-Z]+ \d\d-\d\d [\d:]+ \[[^\]]+\] )?"
_EXCEPTION = re.compile(rf"{_PREFIX}((?:\w+\.)*\w*(?:Error|Exception)\b(?:: .*)?|\S+: error: .*)")
_CONTINUATION = re.compile(rf"{_PREFIX}(\s+\S.*)")
_SECONDARY_ERROR = "Engine core initialization failed"
MAX_LINES = 3
MAX_CHARACTERS = 600


def find_crash_cause(log: str) -> str:
    """Return the exception that ended the server, with its continuation lines; "" if none is found.

    log: the server's whole log.
    """
    lines = log.splitlines()
    cause = ""
    for index, line in enumerate(lines):
        exception = _EXCEPTION.fullmatch(line)
        if exception is None or _SECONDARY_ERROR in line:
            continue
        cause = exception[1]
        for continuation in map(_CONTINUATION.fullmatch, lines[index + 1 : index + MAX_LINES]):
            if continuation is None:
                break
            cause += "\n" + continuation[1]
    return cause[:MAX_CHARACTERS]
