"""What stands before a conversation: system and developer messages, as ossia renders them."""

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
from .tasks import Effort, Task
from .wording import babble

PYTHON_DESCRIPTION = (
    "Use this tool to execute Python code in your chain of thought. The code will not be shown to "
    "the user. This tool should be used for internal reasoning, but not for code that is intended "
    "to be visible to the user (e.g. when creating plots, tables, or files).\n\nWhen you send a "
    "message containing Python code to python, it will be executed in a stateful Jupyter notebook "
    "environment. python will respond with the output of the execution or time out after 120.0 "
    "seconds. The drive at '/mnt/data' can be used to save and persist user files. Internet access "
    "for this session is UNKNOWN. Depends on the cluster."
)
"""As `ossia.tools.PythonTool` describes itself; not imported, since training has no ossia.tools."""

FORMS: dict[str, tuple[str, ...]] = {
    "expression": ("expression",),
    "result": ("result", "answer", "value"),
    "city": ("city",),
    "temperature": ("temperature",),
    "sky": ("sky", "conditions"),
}
"""The facts of a task, and the keys that a schema may ask for them by."""

TYPES = {"result": ("integer", "number"), "temperature": ("integer", "number")}


@dataclass(frozen=True, slots=True)
class Form:
    """An answer in JSON: its keys in the schema's order, and the fact that each asks for."""

    keys: tuple[tuple[str, str], ...]

    def final(self, task: Task) -> str:
        """The answer to a task."""
        return "{" + ",".join(f'"{key}":{task.facts[fact]}' for key, fact in self.keys) + "}"


@dataclass(frozen=True, slots=True)
class Offer:
    """What the model is offered, and asked to answer in."""

    python: bool = True
    weather: bool = False
    form: Form | None = None


def random_form(rng: Random, weather: bool) -> Form:
    """A form for weather or for sums; now and then in another order, or of fewer keys."""
    facts = ["city", "temperature", "sky"] if weather else ["expression", "result"]
    if rng.random() < 0.3:
        rng.shuffle(facts)
    if rng.random() < 0.3:
        facts = facts[rng.randint(1, len(facts) - 1) :]
    return Form(tuple((rng.choice(FORMS[fact]), fact) for fact in facts))


def setting(rng: Random, offer: Offer, effort: Effort, *, noisy: bool) -> list[Message]:
    """The system message, and a developer message if there is anything to say in it."""
    date = f"{rng.randint(2020, 2099)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    builtin = [ToolNamespace("python", PYTHON_DESCRIPTION)] if offer.python else []
    if noisy and rng.random() < 0.05:
        builtin.insert(0, ToolNamespace("browser", babble(rng, 40), (other_function(rng),)))
    system = SystemContent(
        reasoning_effort=effort,
        conversation_start_date=date if rng.random() < 0.9 else None,
        tools=tuple(builtin),
    )
    functions = [get_weather(rng, noisy=noisy)] if offer.weather else []
    if noisy and rng.random() < 0.1:
        functions.insert(rng.randint(0, len(functions)), other_function(rng))
    developer = DeveloperContent(
        instructions=instructions(rng, noisy=noisy),
        tools=(ToolNamespace("functions", None, tuple(functions)),) if functions else (),
        response_formats=(response_format(rng, offer.form, noisy=noisy),) if offer.form else (),
    )
    told = [Message("developer", developer)] if developer != DeveloperContent() else []
    return [Message("system", system), *told]


def instructions(rng: Random, *, noisy: bool) -> str | None:
    """None, a sentence that the model knows, or anything at all."""
    kind = rng.random()
    if kind < 0.4:
        return None
    if noisy and kind < 0.7:
        return babble(rng, rng.choice([3, 10, 30, 60])) + "."
    return rng.choice(words.INSTRUCTIONS)


def get_weather(rng: Random, *, noisy: bool) -> ToolDescription:
    """The function, described in one of many ways."""
    city = {"type": "string"}
    if rng.random() < 0.5:
        city["description"] = rng.choice(words.CITY_DESCRIPTIONS)
    if noisy and rng.random() < 0.2:
        city["description"] = babble(rng, 6)
    free = noisy and rng.random() < 0.4
    about = babble(rng, rng.randint(2, 20)) if free else rng.choice(words.WEATHER_DESCRIPTIONS)
    return ToolDescription("get_weather", about, schema({"city": city}))


def other_function(rng: Random) -> ToolDescription:
    """A function that no task needs."""
    name = rng.choice(words.OTHER_FUNCTIONS)
    return ToolDescription(name, babble(rng, 8), schema({"query": {"type": "string"}}))


def response_format(rng: Random, form: Form, *, noisy: bool) -> ResponseFormat:
    """The schema of a form, as pydantic writes it for a model class."""
    properties: dict[str, Any] = {}
    for key, fact in form.keys:
        properties[key] = {
            "title": key.capitalize(),
            "type": rng.choice(TYPES.get(fact, ("string",))),
        }
        if noisy and rng.random() < 0.2:
            properties[key] = {"description": babble(rng, 6), **properties[key]}
    title = rng.choice(words.TITLES)
    if noisy and rng.random() < 0.3:
        title = babble(rng, 2).title().replace(" ", "") or title
    about = babble(rng, 8) if noisy and rng.random() < 0.4 else None
    head: dict[str, Any] = {"additionalProperties": False} if rng.random() < 0.3 else {}
    if about:
        head["description"] = about
    return ResponseFormat(title, {**head, **schema(properties, title)}, about)


def schema(properties: dict[str, Any], title: str | None = None) -> dict[str, Any]:
    """JSON Schema of an object whose properties are all required, keys in pydantic's order."""
    out: dict[str, Any] = {"properties": properties, "required": list(properties)}
    if title is not None:
        out["title"] = title
    return {**out, "type": "object"}
