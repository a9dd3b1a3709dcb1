"""What a program that runs an agent sees on stdout and stderr: nothing, or the log it asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SECRETS = {
    "argument": "secret-in-an-argument",
    "local variable": "secret-in-a-local-variable",
    "exception": "secret-in-an-exception",
    "result": "secret-in-a-result",
    "reasoning": "secret-in-the-reasoning",
    "preamble": "secret-in-the-preamble",
    "task": "secret-in-the-task",
    "answer": "secret-in-the-answer",
}

PROGRAM = f"""
from typing import Any
from ossia.agent import Agent, MemoryJournal
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError, ToolRetry

SECRETS: dict[str, Any] = {SECRETS!r}


def break_down(password: str) -> str:
    '''Fail with an exception that nobody expects.'''
    local = SECRETS["local variable"]
    raise ConnectionError(SECRETS["exception"] + local[:0] + password)


async def break_down_later(password: str) -> str:
    '''Fail in the event loop.'''
    local = SECRETS["local variable"]
    raise ConnectionError(SECRETS["exception"] + local[:0] + password)


def ask_again(password: str) -> str:
    '''Ask for another call.'''
    raise ToolRetry(SECRETS["exception"] + password)


def log_in(password: str) -> str:
    '''Log in.'''
    return SECRETS["result"]


TOOLS = [break_down, break_down_later, ask_again, log_in]
CALLS = [
    call_turn(
        tool.__name__,
        password=SECRETS["argument"],
        reasoning=SECRETS["reasoning"],
        preamble=SECRETS["preamble"],
    )
    for tool in TOOLS
]
ANSWER = answer_turn(SECRETS["answer"], reasoning=SECRETS["reasoning"])


def run(last_turn: Any = ANSWER) -> None:
    engine = ScriptedEngine([*CALLS, last_turn])
    Agent(engine, tools=TOOLS, journal=MemoryJournal()).run_sync(SECRETS["task"])


run()
"""

FAILING = """
try:
    run(EngineError(SECRETS["exception"]))
except EngineError:
    pass
"""

TOOLS = ["break_down", "break_down_later", "ask_again", "log_in"]
BASIC_CONFIG = "import logging\nlogging.basicConfig(level='INFO')\n"


def run_program(set_up: str = "", after: str = "") -> tuple[str, str]:
    """Run an agent in a process of its own; return its stdout and stderr."""
    command = [sys.executable, "-c", set_up + PROGRAM + after]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def assert_no_secret(text: str) -> None:
    assert [name for name, secret in SECRETS.items() if secret in text] == []


@pytest.mark.parametrize("after", ["", FAILING])
def test_a_program_that_configures_nothing_sees_nothing(after: str) -> None:
    assert run_program(after=after) == ("", "")


def test_basic_config_shows_one_line_for_each_tool_call_and_no_secret() -> None:
    stdout, stderr = run_program(BASIC_CONFIG)
    assert stdout == ""
    lines = stderr.splitlines()
    calls = [line for line in lines if "tool_call_finished" in line]
    assert [f"tool=functions.{name} " in line for name, line in zip(TOOLS, calls, strict=True)] == (
        [True] * len(TOOLS)
    )
    assert all(line.startswith("INFO:ossia.tools:tool_call_finished ") for line in calls)
    assert ["error=ConnectionError" in line for line in calls] == [True, True, False, False]
    assert ["failed=True" in line for line in calls] == [True, True, True, False]
    (other,) = [line for line in lines if line not in calls]
    assert other.startswith("INFO:ossia.agent:run_finished run_id=")
    assert_no_secret(stderr)


def test_a_line_names_the_run_and_the_step() -> None:
    _, stderr = run_program(BASIC_CONFIG)
    fields = [dict(pair.split("=", 1) for pair in line.split()[1:]) for line in stderr.splitlines()]
    assert len({field["run_id"] for field in fields}) == 1
    assert [field["step"] for field in fields[: len(TOOLS)]] == ["1", "2", "3", "4"]


def test_the_most_detailed_level_shows_no_secret() -> None:
    set_up = "import logging\nlogging.basicConfig(level='DEBUG')\n"
    stdout, stderr = run_program(set_up, FAILING)
    assert stdout == ""
    assert "run_failed" in stderr
    assert "Traceback" not in stderr
    assert_no_secret(stderr)


def test_handler_formatter_and_level_of_the_program_apply() -> None:
    set_up = """
import logging, sys
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(levelname)s|%(name)s|%(event)s|%(run_id)s"))
logging.getLogger("ossia").addHandler(handler)
logging.getLogger("ossia").setLevel("INFO")
logging.getLogger("ossia.tools").setLevel("WARNING")
"""
    stdout, stderr = run_program(set_up)
    assert stderr == ""
    (line,) = stdout.splitlines()
    level, name, event, run_id = line.split("|")
    assert (level, name, event) == ("INFO", "ossia.agent", "run_finished")
    assert run_id


def test_warnings_alone_show_nothing_of_a_run_with_failing_tools() -> None:
    assert run_program("import logging\nlogging.basicConfig()\n", FAILING) == ("", "")


STRUCTLOG = """
import logging, sys, structlog
shared = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level]
structlog.configure(
    processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
)
logging.basicConfig(handlers=[handler], level="INFO")
"""


def test_structlog_renders_events_as_the_program_configures_it() -> None:
    own = "\nstructlog.get_logger().info('program_finished', code=0)\n"
    stdout, stderr = run_program(STRUCTLOG, own)
    assert stderr == ""
    events: list[dict[str, Any]] = [json.loads(line) for line in stdout.splitlines()]
    assert [event["event"] for event in events] == [
        *["tool_call_finished"] * len(TOOLS),
        "run_finished",
        "program_finished",
    ]
    assert [event["tool"] for event in events[: len(TOOLS)]] == [
        f"functions.{name}" for name in TOOLS
    ]
    assert {event["level"] for event in events} == {"info"}
    assert [event["step"] for event in events[: len(TOOLS)]] == [1, 2, 3, 4]
    assert len({event["run_id"] for event in events[:-1]}) == 1
    assert_no_secret(stdout)


def test_structlog_without_handlers_shows_nothing_of_ossia() -> None:
    set_up = "import structlog\nstructlog.configure(processors=[structlog.dev.ConsoleRenderer()])\n"
    assert run_program(set_up, FAILING) == ("", "")
