"""`ossia render`: what a conversation is to the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ...harmony import conversation_from_json, decode
from ...harmony.format import places
from ...harmony.rendering import render as render_messages
from .sanitize import plain


def render(
    conversation: Annotated[
        typer.FileText,
        typer.Argument(
            help="Messages as JSON, in openai-harmony's shape; - reads standard input.",
        ),
    ],
    *,
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Open the assistant's next message at the end.")
    ] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Token ids, as JSON.")] = False,
) -> None:
    """Show a conversation as harmony, every special token coloured; or as token ids.

    On a terminal `<|start|>` in somebody's text looks different from the token; `--ids` tells
    them apart anywhere.
    """
    messages = conversation_from_json(conversation.read())
    tokens = render_messages(messages, next_role="assistant" if prompt else None)
    if ids:
        print(json.dumps(tokens))  # noqa: T201 - the command's very output
    else:
        Console(highlight=False).print(Text.assemble(*_spans(tokens)), soft_wrap=True)


def _spans(tokens: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Text and its style: special tokens stand out, what somebody wrote is plain."""
    since = 0
    for at in places(tokens):
        yield plain(decode(tokens[since:at])), ""
        yield decode(tokens[at : at + 1]), "bold cyan"
        since = at + 1
    yield plain(decode(tokens[since:])), ""
