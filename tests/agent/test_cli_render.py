from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ossia.agent.cli.main import app
from ossia.errors import MessageError
from ossia.harmony import Message, conversation_to_json
from ossia.harmony.rendering import render

MESSAGES = [
    Message("user", "Hi <|start|> \x1b[31m"),
    Message("assistant", "Hello", channel="final"),
]
SHOWN = (
    "<|start|>user<|message|>Hi <|start|> ␛[31m<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Hello<|end|>"
)


def shown(*options: str, text: str | None = None) -> str:
    given = conversation_to_json(MESSAGES) if text is None else text
    done = CliRunner().invoke(app, ["render", "-", *options], input=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_conversation_is_shown_as_harmony() -> None:
    assert shown() == SHOWN + "\n"


def test_a_prompt_ends_in_an_open_header() -> None:
    assert shown("--prompt") == SHOWN + "<|start|>assistant\n"


def test_ids_are_what_a_model_reads() -> None:
    assert json.loads(shown("--ids")) == render(MESSAGES)


def test_a_conversation_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "conversation.json"
    file.write_text(conversation_to_json(MESSAGES))
    assert CliRunner().invoke(app, ["render", str(file)]).stdout == SHOWN + "\n"


def test_on_a_terminal_letters_look_unlike_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.StringIO()
    terminal = Console(file=seen, force_terminal=True, color_system="standard", highlight=False)

    def console(*, highlight: bool) -> Console:
        del highlight
        return terminal

    monkeypatch.setattr("ossia.agent.cli.render.Console", console)
    shown()
    assert seen.getvalue().count("\x1b[1;36m<|start|>\x1b[0m") == 2
    assert "Hi <|start|> ␛[31m" in seen.getvalue()


def test_what_is_no_conversation_is_told() -> None:
    with pytest.raises(MessageError, match="message 0 lacks 'role'"):
        shown(text='[{"content": "Hi"}]')
