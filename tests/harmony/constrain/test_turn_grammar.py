"""Turns that the turn grammar allows and rejects, by the matcher that a server uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product

import pytest

from ossia.agent.testing import harmony_tokens
from ossia.errors import HarmonyError
from ossia.harmony import ToolDescription, ToolNamespace
from ossia.harmony.constrain import turn_grammar
from tests.harmony.constrain.grammar_matching import Case, match

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(180)]

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
QUERY = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
    "additionalProperties": False,
}
WEATHER = ToolDescription("get_weather", "The weather.", CITY)
PING = ToolDescription("ping", "Nothing needed.", None)
SEARCH = ToolDescription("search_mail", "Mails.", QUERY)
PYTHON = ToolNamespace("python", "Code.")
BROWSER = ToolNamespace("browser", "Pages.", (ToolDescription("search", "Search.", QUERY),))
ANSWER = {
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
    "additionalProperties": False,
}

Tools = tuple[tuple[ToolDescription, ...], tuple[ToolNamespace, ...]]
TOOLS: dict[str, Tools] = {
    "none": ((), ()),
    "one function": ((WEATHER,), ()),
    "three functions": ((WEATHER, PING, SEARCH), ()),
    "python": ((), (PYTHON,)),
    "browser": ((), (BROWSER,)),
    "python and functions": ((WEATHER, PING), (PYTHON,)),
}
NAMED = {
    "one function": "functions.get_weather",
    "three functions": "functions.ping",
    "python": "python",
    "browser": "browser.search",
    "python and functions": "python",
}
VALID_CONTENT = {
    "functions.get_weather": ['{"city": "Rome"}', '{"city":"Rome","days":3}'],
    "functions.ping": ["{}"],
    "functions.search_mail": ['{"query": "a \\"b\\" < |x| \\u003c|end|> ü"}'],
    "python": ["print(417 * 38)", "x = 1\nx", '{"code": "1"}'],
    "browser.search": ['{"query":"gpt-oss"}'],
}
INVALID_CONTENT = {
    "functions.get_weather": ['{"city": 3}', "{}", '{"city": "Rome"', "Rome", '{"town": "Rome"}'],
    "functions.ping": ['{"a": 1}', "", "[]"],
    "functions.search_mail": [
        '{"query": null}',
        '{"query": "a<|end|>b"}',
        '{"query": "<|start|>assistant<|channel|>final<|message|>"}',
        '{"query": "<|reserved_200010|>"}',
    ],
    "python": [],
    "browser.search": ['{"q": "x"}', "gpt-oss"],
}
REASONING = "<|channel|>analysis<|message|>Hm, well.<|end|><|start|>assistant"
PREAMBLE = "<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant"


@dataclass(frozen=True)
class Combination:
    """A combination of tools, output schema and tool choice."""

    tools: str
    typed: bool
    choice: str

    @property
    def recipients(self) -> list[str]:
        functions, namespaces = TOOLS[self.tools]
        names = [f"functions.{tool.name}" for tool in functions]
        for namespace in namespaces:
            tools = [f"{namespace.name}.{tool.name}" for tool in namespace.tools]
            names += tools or [namespace.name]
        return names

    def valid(self) -> Iterator[str]:
        for recipient in self.recipients:
            if self.choice in {"auto", "required", recipient}:
                yield from calls_to(recipient, VALID_CONTENT[recipient])
        if self.choice in {"auto", "none"}:
            if not self.typed:
                yield from ("<|channel|>final<|message|>It is 5.", "<|channel|>final<|message|>")
            else:
                yield '<|channel|>final<|message|>{"total": 5}'
                yield '<|channel|>final <|constrain|>json<|message|>{"total":-5}'

    def invalid(self) -> Iterator[str]:
        for recipient, contents in VALID_CONTENT.items():
            if recipient in self.recipients and self.choice in {"auto", "required", recipient}:
                yield from calls_to(recipient, INVALID_CONTENT[recipient])
                yield from calls_to(recipient, [f"{contents[0]}<|end|>x"])
            else:
                yield from calls_to(recipient, contents)
        yield from calls_to("functions.imagined", ["{}"])
        yield '<|channel|>final<|message|>It is<|message|>{"total": 5}'
        yield "<|channel|>commentary<|message|>Only a preamble."
        yield "<|channel|>analysis<|message|>Only a thought."
        yield "It is 5."
        yield ""
        if self.typed:
            yield "<|channel|>final<|message|>It is 5."
            yield '<|channel|>final<|message|>{"total": "5"}'
            yield '<|channel|>final<|message|>{"total": 5' + " " * 50 + "}"
            yield '<|channel|>final<|message|>{"total": 5<|end|>}'
        if self.choice not in {"auto", "none"}:
            yield "<|channel|>final<|message|>It is 5."
            yield '<|channel|>final<|message|>{"total": 5}'


def calls_to(recipient: str, contents: Sequence[str]) -> Iterator[str]:
    """Yield the call with each content, in both orders of the header."""
    is_builtin = not recipient.startswith("functions.")
    channel = "analysis" if is_builtin else "commentary"
    content_type = " code" if is_builtin else " <|constrain|>json"
    for content in contents:
        yield f"<|channel|>{channel} to={recipient}{content_type}<|message|>{content}"
        yield f" to={recipient}<|channel|>{channel}{content_type}<|message|>{content}"


COMBINATIONS = [
    Combination(tools, typed, choice)
    for tools, typed in product(TOOLS, (False, True))
    for choice in ("auto", "required", "none", NAMED.get(tools, ""))
    if TOOLS[tools] != ((), ()) or choice in {"auto", "none"}
]


def grammar_of(combination: Combination) -> str:
    functions, namespaces = TOOLS[combination.tools]
    return turn_grammar(
        functions=functions,
        namespaces=namespaces,
        output_schema=ANSWER if combination.typed else None,
        tool_choice=combination.choice,
    )


def test_every_combination_allows_valid_turns_and_nothing_else() -> None:
    prefixes = ("", REASONING, PREAMBLE, REASONING * 3 + PREAMBLE)
    turns = {
        combination: [
            (prefix + turn, is_valid)
            for is_valid, group in ((True, combination.valid()), (False, combination.invalid()))
            for turn in group
            for prefix in prefixes
        ]
        for combination in COMBINATIONS
    }
    cases = [
        (grammar_of(combination), [harmony_tokens(turn) for turn, _ in expected])
        for combination, expected in turns.items()
    ]
    wrong = [
        (combination, turn, is_valid, at)
        for (combination, expected), rejected_at in zip(turns.items(), match(cases), strict=True)
        for (turn, is_valid), at in zip(expected, rejected_at, strict=True)
        if (at is None) != is_valid
    ]
    assert not wrong
    assert len(cases) == 2 * (2 + 5 * 4)


BUDGETS = (12, 0, 7, 1, 12)
"""Compiled together, because a server compiles all grammars with one compiler."""


def test_reasoning_stays_within_its_budget_and_one_message_can_use_it_all() -> None:
    answer = harmony_tokens("<|channel|>final<|message|>5")
    open_, close = map(harmony_tokens, REASONING.split("Hm, well."))

    def turn(lengths: Sequence[int]) -> list[int]:
        messages = [[*open_, *harmony_tokens("x") * length, *close] for length in lengths]
        return [*chain.from_iterable(messages), *answer]

    cases: list[Case] = []
    expected: list[list[bool]] = []
    for budget in BUDGETS:
        within: list[tuple[int, ...]] = [(n,) for n in range(budget + 1)] if budget else [()]
        within += [(budget // n,) * n for n in (2, 3, 4) if budget // n]
        beyond = [(budget + 1,), (budget, 1), (1, budget), (budget // 2 + 1,) * 2]
        cases.append((turn_grammar(reasoning_budget=budget), [*map(turn, within + beyond)]))
        expected.append([True] * len(within) + [False] * len(beyond))
    assert [[at is None for at in rejected_at] for rejected_at in match(cases)] == expected


def test_grammars_that_differ_only_in_token_ids_are_not_confused() -> None:
    """xgrammar 0.2.8 confuses grammars that differ only in token ids; ours avoid this bug."""
    names = ("alpha", "omega", "delta", "gamma")
    turns = [harmony_tokens(call) for name in names for call in calls(name)]
    cases = [
        (turn_grammar(functions=[ToolDescription(name, "")], tool_choice="required"), turns)
        for name in names
    ]
    for name, rejected_at in zip(names, match(cases), strict=True):
        assert [at is None for at in rejected_at] == [
            name == other for other in names for _ in "ab"
        ]


def calls(name: str) -> Iterator[str]:
    return calls_to(f"functions.{name}", ["{}"])


def test_a_tool_choice_without_a_possible_action_is_rejected() -> None:
    with pytest.raises(HarmonyError, match=r"functions\.ping"):
        turn_grammar(functions=[PING], tool_choice="functions.pong")
    with pytest.raises(HarmonyError, match="neither a call nor an answer"):
        turn_grammar(tool_choice="required")
