"""`ossia render`: a conversation as harmony text and as token ids."""

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
HARMONY = (
    "<|start|>user<|message|>Hi <|start|> ␛[31m<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Hello<|end|>"
)


def render_output(*options: str, text: str | None = None) -> str:
    stdin = conversation_to_json(MESSAGES) if text is None else text
    done = CliRunner().invoke(app, ["render", "-", *options], input=stdin, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_shows_a_conversation_as_harmony() -> None:
    assert render_output() == HARMONY + "\n"


def test_a_prompt_ends_with_an_open_header() -> None:
    assert render_output("--prompt") == HARMONY + "<|start|>assistant\n"


def test_ids_are_the_rendered_tokens() -> None:
    assert json.loads(render_output("--ids")) == render(MESSAGES)


def test_reads_a_conversation_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "conversation.json"
    file.write_text(conversation_to_json(MESSAGES))
    assert CliRunner().invoke(app, ["render", str(file)]).stdout == HARMONY + "\n"


def test_on_a_terminal_special_tokens_are_colored(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, color_system="standard", highlight=False)

    def console(*, highlight: bool) -> Console:
        del highlight
        return terminal

    monkeypatch.setattr("ossia.agent.cli.render.Console", console)
    render_output()
    assert screen.getvalue().count("\x1b[1;36m<|start|>\x1b[0m") == 2
    assert "Hi <|start|> ␛[31m" in screen.getvalue()


def test_an_invalid_conversation_raises() -> None:
    with pytest.raises(MessageError, match="message 0 has no 'role'"):
        render_output(text='[{"content": "Hi"}]')
