"""The system and developer messages of the training prompts, as ossia renders them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from ossia.harmony import (
    DeveloperContent,
    Message,
    ResponseFormat,
    SystemContent,
    ToolDescription,
    ToolNamespace,
)

from . import words
from .questions import random_words
from .tasks import Effort, Task

PYTHON_DESCRIPTION = (
    "Use this tool to execute Python code in your chain of thought. The code will not be shown to "
    "the user. This tool should be used for internal reasoning, but not for code that is intended "
    "to be visible to the user (e.g. when creating plots, tables, or files).\n\nWhen you send a "
    "message containing Python code to python, it will be executed in a stateful Jupyter notebook "
    "environment. python will respond with the output of the execution or time out after 120.0 "
    "seconds. The drive at '/mnt/data' can be used to save and persist user files. Internet access "
    "for this session is UNKNOWN. Depends on the cluster."
)
"""The description of `ossia.tools.PythonTool`, copied: training cannot import ossia.tools."""

KEYS: dict[str, tuple[str, ...]] = {
    "expression": ("expression",),
    "result": ("result", "answer", "value"),
    "city": ("city",),
    "temperature": ("temperature",),
    "sky": ("sky", "conditions"),
}
"""The facts of a task, and the keys that a schema may use for each."""

TYPES = {"result": ("integer", "number"), "temperature": ("integer", "number")}


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The keys of a JSON answer in the schema's order, each with the fact it stands for."""

    keys: tuple[tuple[str, str], ...]

    def render(self, task: Task) -> str:
        """Return the answer to a task as JSON."""
        return "{" + ",".join(f'"{key}":{task.facts[fact]}' for key, fact in self.keys) + "}"


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """The tools in a prompt, and the format of the answer."""

    python: bool = True
    weather: bool = False
    output_format: OutputFormat | None = None


def random_output_format(rng: Random, weather: bool) -> OutputFormat:
    """Return a format for weather or for sums, sometimes reordered or with fewer keys."""
    facts = ["city", "temperature", "sky"] if weather else ["expression", "result"]
    if rng.random() < 0.3:
        rng.shuffle(facts)
    if rng.random() < 0.3:
        facts = facts[rng.randint(1, len(facts) - 1) :]
    return OutputFormat(tuple((rng.choice(KEYS[fact]), fact) for fact in facts))


def prompt_messages(
    rng: Random, prompt: PromptOptions, effort: Effort, *, noisy: bool
) -> list[Message]:
    """Return the system message, and a developer message if it is not empty."""
    date = f"{rng.randint(2020, 2099)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    builtin = [ToolNamespace("python", PYTHON_DESCRIPTION)] if prompt.python else []
    if noisy and rng.random() < 0.05:
        builtin.insert(0, ToolNamespace("browser", random_words(rng, 40), (other_function(rng),)))
    system = SystemContent(
        reasoning_effort=effort,
        conversation_start_date=date if rng.random() < 0.9 else None,
        tools=tuple(builtin),
    )
    functions = [get_weather(rng, noisy=noisy)] if prompt.weather else []
    if noisy and rng.random() < 0.1:
        functions.insert(rng.randint(0, len(functions)), other_function(rng))
    developer = DeveloperContent(
        instructions=instructions(rng, noisy=noisy),
        tools=(ToolNamespace("functions", None, tuple(functions)),) if functions else (),
        response_formats=(response_format(rng, prompt.output_format, noisy=noisy),)
        if prompt.output_format
        else (),
    )
    if developer == DeveloperContent():
        return [Message("system", system)]
    return [Message("system", system), Message("developer", developer)]


def instructions(rng: Random, *, noisy: bool) -> str | None:
    """Return None, a sentence that the model knows, or random words."""
    kind = rng.random()
    if kind < 0.4:
        return None
    if noisy and kind < 0.7:
        return random_words(rng, rng.choice([3, 10, 30, 60])) + "."
    return rng.choice(words.INSTRUCTIONS)


def get_weather(rng: Random, *, noisy: bool) -> ToolDescription:
    """Return the function with a random description."""
    city = {"type": "string"}
    if rng.random() < 0.5:
        city["description"] = rng.choice(words.CITY_DESCRIPTIONS)
    if noisy and rng.random() < 0.2:
        city["description"] = random_words(rng, 6)
    if noisy and rng.random() < 0.4:
        description = random_words(rng, rng.randint(2, 20))
    else:
        description = rng.choice(words.WEATHER_DESCRIPTIONS)
    return ToolDescription("get_weather", description, schema({"city": city}))


def other_function(rng: Random) -> ToolDescription:
    """Return a function that no task needs."""
    name = rng.choice(words.OTHER_FUNCTIONS)
    return ToolDescription(name, random_words(rng, 8), schema({"query": {"type": "string"}}))


def response_format(rng: Random, output_format: OutputFormat, *, noisy: bool) -> ResponseFormat:
    """Return the schema of a format, as pydantic writes it for a model class."""
    properties: dict[str, Any] = {}
    for key, fact in output_format.keys:
        properties[key] = {
            "title": key.capitalize(),
            "type": rng.choice(TYPES.get(fact, ("string",))),
        }
        if noisy and rng.random() < 0.2:
            properties[key] = {"description": random_words(rng, 6), **properties[key]}
    title = rng.choice(words.TITLES)
    if noisy and rng.random() < 0.3:
        title = random_words(rng, 2).title().replace(" ", "") or title
    description = random_words(rng, 8) if noisy and rng.random() < 0.4 else None
    head: dict[str, Any] = {"additionalProperties": False} if rng.random() < 0.3 else {}
    if description:
        head["description"] = description
    return ResponseFormat(title, {**head, **schema(properties, title)}, description)


def schema(properties: dict[str, Any], title: str | None = None) -> dict[str, Any]:
    """Return the JSON Schema of an object with required properties, keys in pydantic's order."""
    result: dict[str, Any] = {"properties": properties, "required": list(properties)}
    if title is not None:
        result["title"] = title
    return {**result, "type": "object"}
