"""ossia logs through the standard library: nothing by default, and then as the program wants."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from ossia.sandbox import get_logger

EMIT = """
log = get_logger("ossia.example")
log.debug("cache_checked", hits=0)
log.info("call_finished", tool="python", seconds=0.5)
log.warning("call_repeated", tool="a b")
"""
LINES = [
    "INFO:ossia.example:call_finished tool=python seconds=0.5",
    "WARNING:ossia.example:call_repeated tool='a b'",
]


def run_program(set_up: str) -> tuple[str, str]:
    """Run a program that sets up logging and emits events; return its stdout and stderr."""
    program = (
        "import logging, sys, structlog\nfrom ossia.sandbox import get_logger\n" + set_up + EMIT
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


@contextmanager
def attached(name: str, formatter: logging.Formatter, level: int) -> Generator[io.StringIO]:
    """Attach a handler to a logger of the standard library; yield what it writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger(name)
    level_before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield stream
    finally:
        logger.setLevel(level_before)
        logger.removeHandler(handler)


def test_a_program_that_configures_nothing_sees_nothing() -> None:
    assert run_program("") == ("", "")


@pytest.mark.parametrize("name", ["ossia", "ossia.example"])
def test_warnings_stay_quiet_without_a_handler(name: str) -> None:
    assert run_program(f"logging.getLogger({name!r}).setLevel('DEBUG')\n") == ("", "")


def test_basic_config_gives_one_line_per_event() -> None:
    stdout, stderr = run_program("logging.basicConfig(level='INFO')\n")
    assert stdout == ""
    assert stderr.splitlines() == LINES


def test_structlog_configured_by_the_program_changes_nothing() -> None:
    set_up = """
def fail(*arguments):
    raise AssertionError("the program's processors are not for ossia's events")
structlog.configure(
    processors=[fail],
    wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    logger_factory=structlog.PrintLoggerFactory(sys.stdout),
)
"""
    assert run_program(set_up) == ("", "")
    stdout, stderr = run_program(set_up + "logging.basicConfig(level='INFO')\n")
    assert stdout == ""
    assert stderr.splitlines() == LINES


def test_levels_apply_per_logger() -> None:
    formatter = logging.Formatter("%(levelname)s %(message)s")
    with (
        attached("ossia", formatter, logging.INFO) as stream,
        attached("ossia.quiet", formatter, logging.ERROR),
    ):
        get_logger("ossia.quiet").warning("page_skipped")
        get_logger("ossia.other").info("page_read")
        get_logger("ossia.other").debug("page_parsed")
    assert stream.getvalue() == "INFO page_read\n"


def test_a_disabled_level_formats_nothing() -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise AssertionError("a disabled event was formatted")

    with attached("ossia.example", logging.Formatter(), logging.ERROR) as stream:
        get_logger("ossia.example").warning("page_read", page=Unprintable())
    assert stream.getvalue() == ""


def test_a_record_names_the_line_that_logged_it() -> None:
    formatter = logging.Formatter("%(filename)s %(funcName)s")
    with attached("ossia.example", formatter, logging.INFO) as stream:
        get_logger("ossia.example").info("page_read")
        get_logger("ossia.example").bind(page=1).warning("page_read")
    line = "test_logging.py test_a_record_names_the_line_that_logged_it\n"
    assert stream.getvalue() == 2 * line


def test_an_event_is_one_line_without_control_characters() -> None:
    with attached("ossia.example", logging.Formatter("%(message)s"), logging.INFO) as stream:
        get_logger("ossia.example").info(
            "page_read", url="a\nb", title="\x1b[31m", empty="", lone="\ud800", percent="100%s"
        )
    assert stream.getvalue() == (
        r"page_read url='a\nb' title='\x1b[31m' empty='' lone='\ud800' percent=100%s" + "\n"
    )


def test_fields_are_attributes_of_the_record(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="ossia.example"):
        get_logger("ossia.example").info("call_finished", tool="python", seconds=0.5)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("ossia.example", "INFO")
    fields = vars(record)
    assert (fields["event"], fields["tool"], fields["seconds"]) == ("call_finished", "python", 0.5)


def test_a_field_may_have_the_name_of_a_record_attribute(caplog: pytest.LogCaptureFixture) -> None:
    reserved = [*vars(logging.makeLogRecord({})), "asctime", "message", "taskName", "_logger"]
    fields: dict[str, Any] = {name: 1 for name in reserved if name != "stacklevel"}
    with caplog.at_level(logging.INFO, logger="ossia.example"):
        get_logger("ossia.example").info("page_read", **fields)
    (record,) = caplog.records
    assert record.name == "ossia.example"
    assert record.getMessage() == " ".join(["page_read", *(f"{name}=1" for name in fields)])
    assert {vars(record)[f"field_{name}"] for name in fields} == {1}


def test_bound_context_variables_are_fields() -> None:
    with (
        attached("ossia.example", logging.Formatter("%(message)s"), logging.INFO) as stream,
        structlog.contextvars.bound_contextvars(step=2, run_id="r1"),
    ):
        get_logger("ossia.example").info("call_finished", tool="python")
    assert stream.getvalue() == "call_finished tool=python run_id=r1 step=2\n"


def test_structlog_formatters_show_the_event_and_its_fields() -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    with (
        attached("ossia.example", formatter, logging.INFO) as stream,
        structlog.contextvars.bound_contextvars(run_id="r1"),
    ):
        get_logger("ossia.example").info("call_finished", tool="a b", name="n")
    assert json.loads(stream.getvalue()) == {
        "event": "call_finished",
        "level": "info",
        "run_id": "r1",
        "tool": "a b",
        "field_name": "n",
    }
