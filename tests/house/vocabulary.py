"""Names and phrases that the project does not use, and the names that may contain `answer`."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the space-separated words of a text."""
    return frozenset(text.split())


def pairs(table: dict[str, str]) -> frozenset[tuple[str, str]]:
    """Return pairs of a place and a name, from space-separated names by place."""
    return frozenset((place, name) for place, names in table.items() for name in words(names))


OLD_MODULES = pairs(
    {
        "agent": "book reins held canary opening shared connection wire window fault machine many "
        "recall",
        "agent/cli": "plain toolnames setup",
        "harmony": "mending settling words loosen opening",
        "sandbox": "line serving contained session opening",
        "tools": "source shelf trained",
        "tools/browser": "gate built walk asking web keyed keyless",
    }
)
"""(Place, module): no file or folder below the place has this name."""

OLD_NAMES = pairs(
    {
        "": "told said kept made due begun held",
        "agent": "CallStarted CallArgumentsDelta CallAnswered RunTaken TurnTaken CallEnded "
        "ModelTold AnswerTaken about Book book reins reined Watch HeldEngine canary sing "
        "CANARY_SONG Shared Sharing Patience BrokenError read_line Settings Narrator Stamp recall",
        "harmony": "mending settling loosen retold debris",
        "sandbox": "why_dead patience last_words",
        "tools": "Answer Keeper Citing shelf offered when keyed keyless",
    }
)
"""(Place, name): no identifier below the place has this name, leading underscores aside."""

OLD_DEFINITIONS = pairs(
    {
        "agent": "opening resumed forked finished watched shared refusal room "
        "ration within nudge trace stale",
        "agent/run": "_parse _act _judge _hurry",
        "harmony": "opening words",
        "sandbox": "contained opening inside shown",
        "tools": "Result answer dispatch",
    }
)
"""(Place, name): no function, method or class below the place has this name.

Most of these are ordinary words that a local variable may well have as its name.
"""

OLD_STATE_FIELDS = pairs({"agent/run": "call final shown"})
"""(Place, name): no class whose name ends in `State` has this attribute."""

LOOP_VARIABLES = frozenset({"one"})
"""Names that say nothing about what a loop runs over."""

FINAL_TEXT_NAMES = words(
    "answer answers ANSWER AnswerDelta AnswerPartial AnswerRejected PartialAnswer RejectedAnswer "
    "answer_grammar answer_header answer_s answer_tokens answer_turn _print_answer _force_answer "
    "_answer AnswerOnly FORCE_ANSWER _answer_delta answer_type answer_so_far has_answer "
    "is_last_answer partial_answer"
)
"""Identifiers that may contain `answer`: it means the model's final text."""

FINAL_TEXT_PLACES = (
    "agent",
    "harmony",
    "tools/browser",
    "tools/citations.py",
    "tools/protocol.py",
    "tools/toolbox.py",
    "examples",
    "e2e",
    "bench",
    "errors.py",
)
"""Where these may occur. What a tool or a server returns is a result or a response."""

PHRASES = {
    "is no": r"(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b)[a-z]",
    "anew": r"\banew\b",
    "to be had": r"\b(?:to|can|could|may|cannot) be had\b",
    "so many": r"\bso (?:many|much)(?=[.,;:)]|$)",
    "nobody knows": r"\b(?:nobody|no one) knows\b",
    "let go of": r"\blet(?:s|ting)? go of\b",
    "whoever": r"\bwho(?:m)?(?:so)?ever\b",
    "at the most": r"\bat the most\b",
    "British spelling": r"\b(?:behaviour|colour|neighbour|favour|honour|centre\b|"
    r"(?:recogn|normal|initial|summar|serial|organ|optim|minim|token|synchron)is(?:e|ing|ation))",
}
"""Phrases that plain English does without, as patterns that ignore case."""

PHRASE_EXAMPLES = {
    "is no": ("A page is no file.", "There is no file. It is no longer needed."),
    "anew": ("The kernel starts anew.", "The kernel starts a new cell."),
    "to be had": ("No daemon is to be had.", "No daemon had to be started."),
    "so many": ("The latest so many.", "There are so many runs that it is slow."),
    "nobody knows": ("Nobody knows how far it got.", "The outcome is unknown."),
    "let go of": ("It lets go of the lock.", "Let it go on."),
    "whoever": ("Whoever closes it waits.", "The caller that closes it waits."),
    "at the most": ("Ten files at the most.", "At most ten files."),
    "British spelling": ("Its behaviour, recognised.", "Its behavior, recognized and promised."),
}
"""For each phrase, a text that contains it and one that does not."""

EXCEPTIONS: dict[str, frozenset[str]] = {
    "tests/house/vocabulary.py": frozenset(PHRASES),
}
"""Files, or folders, and the phrases they may contain: text of others, or trained text."""
