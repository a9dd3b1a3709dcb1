"""`ossia render`: shows a conversation as the model reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ...harmony import conversation_from_json, decode
from ...harmony.format import special_indices
from ...harmony.rendering import render as render_messages
from .sanitize import sanitize


def render(
    conversation: Annotated[
        typer.FileText,
        typer.Argument(
            help="Messages as JSON, in the format of openai-harmony; - reads standard input.",
        ),
    ],
    *,
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Append the start of the assistant's next message.")
    ] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Print token ids, as JSON.")] = False,
) -> None:
    """Show a conversation as harmony text with colored special tokens, or as token ids.

    On a terminal, the color shows whether `<|start|>` is the special token or ordinary text.
    `--ids` shows the difference everywhere.
    """
    messages = conversation_from_json(conversation.read())
    tokens = render_messages(messages, next_role="assistant" if prompt else None)
    if ids:
        print(json.dumps(tokens))  # noqa: T201 - the command's output
    else:
        Console(highlight=False).print(Text.assemble(*_spans(tokens)), soft_wrap=True)


def _spans(tokens: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield pieces of text with their style; special tokens have a style of their own."""
    start = 0
    for index in special_indices(tokens):
        yield sanitize(decode(tokens[start:index])), ""
        yield decode(tokens[index : index + 1]), "bold cyan"
        start = index + 1
    yield sanitize(decode(tokens[start:])), ""
