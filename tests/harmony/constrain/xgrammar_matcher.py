"""A program for the engine's interpreter that matches turns with xgrammar, token by token.

It reads a JSON list of {"grammar": EBNF, "turns": [[id, ...], ...]} from standard input. For
each turn it writes the index of the first token that the grammar rejects, the turn's length if the
turn cannot end there, or null if it matches.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from ossia.harmony.format import special
from ossia.harmony.format.vocabulary import load_vocabulary

# Any, because only the engine's interpreter has this library.
xgrammar: Any = import_module("xgrammar")
STOP = (special.RETURN, special.CALL, special.ENDOFTEXT)


def rejected_at(grammar: Any, turn: list[int]) -> int | None:
    """Match as a server does: check the token in the mask, then accept it."""
    matcher = xgrammar.GrammarMatcher(grammar)
    mask = xgrammar.allocate_token_bitmask(1, special.SIZE)
    for at, token in enumerate(turn):
        matcher.fill_next_token_bitmask(mask)
        if not allows(mask, token):
            return at
        assert matcher.accept_token(token), (at, token)
    matcher.fill_next_token_bitmask(mask)
    return None if allows(mask, special.RETURN) else len(turn)


def allows(mask: Any, token: int) -> bool:
    return bool(int(mask[0][token // 32]) >> (token % 32) & 1)


def main() -> None:
    info = xgrammar.TokenizerInfo(
        load_vocabulary().bytes_of[: special.SIZE],
        vocab_type=xgrammar.VocabType.RAW,
        vocab_size=special.SIZE,
        stop_token_ids=list(STOP),
    )
    compiler = xgrammar.GrammarCompiler(info)
    results: list[list[int | None]] = []
    for case in json.load(sys.stdin):
        grammar = compiler.compile_grammar(case["grammar"])
        results.append([rejected_at(grammar, turn) for turn in case["turns"]])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
