"""How many tokens a turn may have: what the prompt leaves of the model's window."""

from __future__ import annotations

from ...errors import ContextLengthError


def room(prompt_tokens: int, window: int, max_tokens: int | None, *, url: str = "") -> int:
    """Tokens that a turn may have, `max_tokens` at the most.

    url: where the model is served, for the error.

    Raises ContextLengthError if the prompt leaves none.
    """
    left = window - prompt_tokens
    if left <= 0:
        raise ContextLengthError(
            f"the prompt has {prompt_tokens} tokens and the model's window is {window}: "
            "shorten the task or the tools' output, or serve with a larger --max-model-len",
            url=url,
            prompt_tokens=prompt_tokens,
            window=window,
        )
    return left if max_tokens is None else min(left, max_tokens)
