"""Tool scenarios from the published tests of openai-harmony."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ossia.harmony import (
    DeveloperContent,
    Message,
    SystemContent,
    ToolDescription,
    ToolNamespace,
    decode,
)
from ossia.harmony.rendering import render

Spell = Callable[[str], list[int]]

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
CHANNELS = (
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
COMMENTARY = "Calls to these tools must go to the commentary channel: 'functions'."


def system(text: str) -> str:
    return f"<|start|>system<|message|>{IDENTITY}\n{text}<|end|>"


def user(text: str) -> Message:
    return Message("user", text)


CITIES = 'List of city and state, e.g. ["San Francisco, CA", "New York, NY"]'
FORMAT = {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"}
CITY = {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
MANY_CITIES = {"type": "array", "items": {"type": "string"}, "description": CITIES}
KITCHEN_SINK: dict[str, Any] = {
    "string": {
        "type": "string",
        "title": "STRING",
        "description": "A string",
        "examples": ["hello", "world"],
    },
    "string_nullable": {
        "type": "string",
        "nullable": True,
        "description": "A nullable string",
        "default": "the default",
    },
    "string_enum": {"type": "string", "enum": ["a", "b", "c"]},
    "oneof_string_or_number": {
        "oneOf": [
            {"type": "string", "default": "default_string_in_oneof"},
            {"type": "number", "description": "numbers can happen too"},
        ],
        "description": "a oneof",
        "default": 20,
    },
}


def object_schema(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


TOOLS = (
    ToolDescription("get_location", "Gets the location of the user."),
    ToolDescription(
        "get_current_weather",
        "Gets the current weather in the provided location.",
        object_schema(["location"], location=CITY, format=FORMAT),
    ),
    ToolDescription(
        "get_multiple_weathers",
        "Gets the current weather in the provided list of locations.",
        object_schema(["locations"], locations=MANY_CITIES, format=FORMAT),
    ),
    ToolDescription(
        "kitchensink",
        "A function with various complex schemas.",
        {"description": "params object", "type": "object", "properties": KITCHEN_SINK},
    ),
)
FUNCTIONS_SYSTEM = system(
    "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\nReasoning: high\n\n"
    f"{CHANNELS}\n{COMMENTARY}"
)
FUNCTIONS_DEVELOPER = f"""<|start|>developer<|message|># Instructions

Always respond in riddles

# Tools

## functions

namespace functions {{

// Gets the location of the user.
type get_location = () => any;

// Gets the current weather in the provided location.
type get_current_weather = (_: {{
// The city and state, e.g. San Francisco, CA
location: string,
format?: "celsius" | "fahrenheit", // default: celsius
}}) => any;

// Gets the current weather in the provided list of locations.
type get_multiple_weathers = (_: {{
// {CITIES}
locations: string[],
format?: "celsius" | "fahrenheit", // default: celsius
}}) => any;

// A function with various complex schemas.
type kitchensink = (_: // params object
{{
// STRING
//
// A string
// Examples:
// - "hello"
// - "world"
string?: string,
// A nullable string
string_nullable?: string | null, // default: "the default"
string_enum?: "a" | "b" | "c",
// a oneof
// default: 20
oneof_string_or_number?:
 | string // default: "default_string_in_oneof"
 | number // numbers can happen too
,
}}) => any;

}} // namespace functions<|end|><|start|>user<|message|>What is the weather like in SF?<|end|>"""


def test_functions_with_parameters(spell: Spell) -> None:
    functions = ToolNamespace("functions", None, TOOLS)
    messages = [
        Message(
            "system",
            SystemContent(reasoning_effort="high", conversation_start_date="2025-06-28"),
        ),
        Message("developer", DeveloperContent("Always respond in riddles", (functions,))),
        user("What is the weather like in SF?"),
    ]
    assert decode(render(messages)) == FUNCTIONS_SYSTEM + FUNCTIONS_DEVELOPER
    assert render(messages) == spell(FUNCTIONS_SYSTEM + FUNCTIONS_DEVELOPER)


@pytest.mark.parametrize("names", [("browser",), ("browser", "python"), ("browser", "functions")])
def test_built_in_tools(
    names: tuple[str, ...], openai_harmony: Any, reference_render: Callable[..., list[int]]
) -> None:
    namespaces: list[ToolNamespace] = []
    for name in set(names) & {"browser", "python"}:
        config = getattr(openai_harmony.ToolNamespaceConfig, name)()
        namespaces.append(ToolNamespace.from_dict(config.model_dump(exclude_none=True)))
    content = SystemContent(conversation_start_date="2025-06-28", tools=tuple(namespaces))
    messages = [Message("system", content)]
    if "functions" in names:
        schema = {"type": "object", "properties": {"location": {"type": "string"}}}
        tool = ToolDescription("lookup_weather", "Use this tool to lookup the weather.", schema)
        functions = ToolNamespace("functions", None, (tool,))
        messages.append(Message("developer", DeveloperContent(tools=(functions,))))
    assert render(messages) == reference_render(messages)
    text = decode(render(messages))
    assert "namespace browser {\n\n// Searches for information" in text
    assert ("## python\n\nUse this tool to execute Python code" in text) == ("python" in names)
    assert (COMMENTARY in text) == ("functions" in names)
