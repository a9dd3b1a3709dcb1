"""Loggers for ossia's own modules: structlog events, sent through the standard library's logging.

The loggers ignore `structlog.configure`: levels, handlers and formatters of the standard
library's logger `ossia` apply, and a program that configures nothing sees nothing.
"""

from __future__ import annotations

import logging

import structlog
from structlog.typing import EventDict, WrappedLogger

_STACK_LEVEL = 4
"""Frames from `Logger.info` up to the caller; three of them are structlog's."""
_RESERVED = {*vars(logging.makeLogRecord({})), "asctime", "message", "taskName"}
"""Names that `logging` refuses in `extra`, or overwrites. `taskName` exists since Python 3.12."""


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a structured logger on top of `logging.getLogger(name)`.

    name: `ossia.` and the folder, such as `ossia.sandbox`.

    Bound context variables, such as `run_id`, become fields of each event. The message is
    `event key=value key=value`; the record also has the event and each field as attributes.
    """
    return structlog.stdlib.BoundLogger(
        logging.getLogger(name),
        # The level is checked first, so that an event that is not logged costs almost nothing.
        processors=[
            structlog.stdlib.filter_by_level,
            _add_context,
            _to_logging_arguments,
        ],
        context={},
    )


def _add_context(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Add the bound context variables, sorted by name: their own order changes between runs."""
    context = structlog.contextvars.get_contextvars()
    for key in sorted(context):
        fields.setdefault(key, context[key])
    return fields


def _to_logging_arguments(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Turn an event into the keyword arguments of a `logging.Logger` method."""
    event = fields.pop("event")
    pairs = [f"{_to_text(key)}={_to_text(value)}" for key, value in fields.items()]
    # `event` is an attribute too: structlog's ExtraAdder then shows it without the fields.
    extra = {"event": event, **{_attribute(key): value for key, value in fields.items()}}
    return {"msg": " ".join([event, *pairs]), "extra": extra, "stacklevel": _STACK_LEVEL}


def _attribute(key: str) -> str:
    """Return the name of the log record's attribute for a field."""
    # structlog's ProcessorFormatter uses attributes and keys that start with an underscore.
    return f"field_{key}" if key in _RESERVED or key.startswith("_") else key


def _to_text(value: object) -> str:
    """Return a value as one word, or quoted: one event is one line without control characters."""
    text = str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
