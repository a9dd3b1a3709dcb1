"""What can be a tool, and the errors for what cannot."""

import enum
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import Field

from ossia.tools import (
    FunctionTool,
    PythonTool,
    RunContext,
    Toolbox,
    ToolDefinitionError,
    ToolResult,
    tool,
)

if TYPE_CHECKING:
    Database = int

Ask = Callable[..., Awaitable[ToolResult]]


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @tool
    def price(self, item: str) -> str:
        """What it costs."""
        return f"{self.name}: {item}"

    @tool(name="stock")
    async def in_stock(self, context: RunContext[int], item: str) -> str:
        return f"{self.name}: {context.deps} {item}"

    @classmethod
    @tool
    def opened(cls, day: str) -> str:
        return f"{cls.__name__} {day}"

    @staticmethod
    @tool
    def currency() -> str:
        return "EUR"

    @tool
    @staticmethod
    def tax() -> str:
        return "22%"

    def plain(self, item: str) -> str:
        """Say it."""
        return f"{self.name}! {item}"


async def test_a_bound_method_is_a_tool(ask: Ask) -> None:
    shop = Shop("Rossi")
    assert shop.price("pane") == "Rossi: pane"
    assert shop.price.namespace.tools[0].description == "What it costs."
    assert (await ask(shop.price, '{"item": "pane"}')).message.text == "Rossi: pane"
    context = RunContext(3)
    assert (await ask(shop.in_stock, '{"item": "pane"}', context)).message.text == "Rossi: 3 pane"
    assert (await ask(Shop.opened, '{"day": "Monday"}')).message.text == "Shop Monday"
    assert (await ask(shop.currency)).message.text == "EUR"
    assert (await ask(shop.tax)).message.text == "22%"
    assert (await ask(shop.plain, '{"item": "pane"}')).message.text == "Rossi! pane"


def test_an_unbound_method_is_rejected() -> None:
    with pytest.raises(ToolDefinitionError, match=r"price is a method without its object"):
        Toolbox([Shop.price])


def test_a_tool_can_be_made_again_with_other_options() -> None:
    again = tool(Shop("Rossi").price, name="cost", timeout_s=1)
    assert (again.name, again("pane")) == ("cost", "Rossi: pane")


class Greeter:
    """Greets people."""

    def __call__(self, name: str) -> str:
        return f"Ciao, {name}"


class AsyncGreeter:
    async def __call__(self, name: str) -> str:
        """Greet slowly."""
        return f"Ciao, {name}"


async def test_callable_objects_are_tools(ask: Ask) -> None:
    for greeter, description in ((Greeter(), "Greets people."), (AsyncGreeter(), "Greet slowly.")):
        function_tool = tool(greeter, name="greet")
        assert function_tool.namespace.tools[0].description == description
        assert (await ask(function_tool, '{"name": "Ada"}')).message.text == "Ciao, Ada"


async def test_the_model_does_not_see_the_keywords_of_a_partial(ask: Ask) -> None:
    def search(query: str, key: str, limit: int = 10) -> str:
        """Search."""
        return f"{query} {key} {limit}"

    function_tool = tool(functools.partial(search, key="hunter2"))
    assert "hunter2" not in str(function_tool.namespace)
    assert (function_tool.name, function_tool.namespace.tools[0].description) == (
        "search",
        "Search.",
    )
    assert (await ask(function_tool, '{"query": "q"}')).message.text == "q hunter2 10"
    assert (await ask(function_tool, '{"query": "q", "key": "mine"}')).failed


async def test_the_signature_behind_a_decorator_is_used(ask: Ask) -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @tool
    @logged
    async def double(n: int) -> int:
        """Twice."""
        return 2 * n

    assert double.arguments.schema["required"] == ["n"]
    assert (await ask(double, '{"n": 2}')).message.text == "4"


async def test_annotations_for_type_checkers_only_are_ignored(ask: Ask) -> None:
    def count(context: "RunContext[Database]", n: "int") -> "Database":
        return n + 1

    assert (await ask(count, '{"n": 2}')).message.text == "3"


async def test_annotations_can_use_names_of_the_closure(ask: Ask) -> None:
    class Small(enum.Enum):
        ONE = 1
        TWO = 2

    def pick(n: "Small") -> int:
        return Small(n).value

    assert (await ask(pick, '{"n": 2}')).message.text == "2"
    assert (await ask(pick, '{"n": 4}')).failed


def rows() -> Iterator[int]:
    yield 1


async def arows() -> AsyncIterator[int]:
    yield 1


async def arun(context: RunContext[None]) -> bool:
    return False


def context_second(n: int, context: RunContext[None]) -> None: ...


def unknown(n: int) -> None: ...


unknown.__annotations__["n"] = "Nowhere"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (lambda: tool(rows), "rows is a generator, but a call has one result; return a list"),
        (lambda: tool(arows), "arows is a generator"),
        (
            lambda: tool(context_second),
            "'context' is annotated RunContext, which is only allowed f",
        ),
        (lambda: tool(unknown), "the annotation of 'n' uses 'Nowhere'"),
        (
            lambda: tool(lambda: 1),
            r"'<lambda>' is not a valid name.*@tool\(name=\.\.\.\)",
        ),
        (lambda: tool(len, name="--"), "'--' is not a valid name"),
        (lambda: tool(len, name="a" * 65), "at most 64 characters"),
        (lambda: tool(classmethod(lambda cls: 1)), "write @classmethod above @tool"),  # type: ignore[call-overload]
        (lambda: Toolbox([3]), "3 is neither a tool nor a function"),  # type: ignore[list-item]
        (lambda: Toolbox([PythonTool]), r"pass a tool: PythonTool\(\)"),
        (lambda: Toolbox([PythonTool(), PythonTool()]), "two tools have the namespace 'python'"),
        (lambda: tool(context_second, timeout_s=0), "timeout_s is 0"),
        (lambda: tool(context_second, retries=-1), "retries is -1"),
        (lambda: tool(context_second, enabled=arun), "`enabled` is async"),  # type: ignore[arg-type]
        (lambda: Toolbox([context_second]), "first parameter"),
        (lambda: PythonTool(3), "opens a sandbox for each run"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_tool_is_rejected_with_a_fix(
    definition: Callable[[], object], message: str
) -> None:
    with pytest.raises(ToolDefinitionError, match=message):
        definition()


GOOGLE = """Book a room.

    The first free one is taken.

    Args:
        city: Where,
            by name.
        *guests: Who comes.
        nights (int): How long.

    Returns:
        The room's number.

    Raises:
        ValueError: never mind.
    """
NUMPY = """Book a room.

    The first free one is taken.

    Parameters
    ----------
    city : str
        Where,
        by name.
    *guests : str
        Who comes.
    nights : int, optional
        How long.

    Returns
    -------
    int
        The room's number.
    """
SPHINX = """Book a room.

    The first free one is taken.

    :param city: Where,
        by name.
    :param guests: Who comes.
    :param int nights: How long.
    :returns: The room's number.
    :raises ValueError: never mind.
    """


@pytest.mark.parametrize(
    ("doc", "returned"),
    [
        (GOOGLE, "The room's number."),
        (NUMPY, "int: The room's number."),
        (SPHINX, "The room's number."),
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_three_docstring_styles_give_the_same_description(doc: str, returned: str) -> None:
    def book(city: str, *guests: str, nights: int = 1) -> int:
        return 0

    book.__doc__ = doc
    declaration = tool(book).namespace.tools[0]
    assert declaration.description == (
        f"Book a room.\n\nThe first free one is taken.\n\nReturns: {returned}"
    )
    parameters: Any = declaration.parameters
    assert {name: schema["description"] for name, schema in parameters["properties"].items()} == {
        "city": "Where,\nby name.",
        "guests": "Who comes.",
        "nights": "How long.",
    }


def test_a_docstring_can_describe_only_parameters_and_two_at_once() -> None:
    def f(x: float, y: float) -> None:
        """
        Parameters
        ----------
        x, y : float
            Both.
        """

    function_tool: FunctionTool[..., Any] = tool(f)
    assert function_tool.namespace.tools[0].description == ""
    properties = function_tool.arguments.schema["properties"]
    assert [properties[name]["description"] for name in "xy"] == ["Both.", "Both."]


def test_the_description_of_a_field_wins_over_the_docstring() -> None:
    def f(x: Annotated[int, Field(description="The field.")]) -> None:
        """Do it.

        Args:
            x: The docstring.
        """

    assert tool(f).arguments.schema["properties"]["x"]["description"] == "The field."
    assert tool(f, description="Other.").namespace.tools[0].description == "Other."
