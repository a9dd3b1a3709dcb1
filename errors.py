"""The errors of ossia. Every failure of a run or of one of its parts is an OssiaError.

A wrong argument is a TypeError or a ValueError, as in any Python library, and a call at the wrong
time is a RuntimeError.

    OssiaError
    ├── HarmonyError                tokens or text that are not valid harmony       the caller acts
    │   └── MessageError            a message that cannot be rendered safely        the caller acts
    ├── EngineError                 the engine did not complete a turn              the caller acts
    │   ├── EngineUnavailableError  nothing answers at the URL, or not in time
    │   ├── ModelNotFoundError      the server does not serve that model
    │   ├── ContextLengthError      the prompt and the turn do not fit the window
    │   ├── EngineProtocolError     the server answers, but not with token ids
    │   └── ServerStartError        a server that ossia started did not come up
    ├── SandboxError                a sandbox could not do what it was asked        the caller acts
    │   ├── SandboxUnavailableError this machine has no such sandbox
    │   ├── SandboxImageError       the image is missing or could not be built
    │   ├── SandboxDiedError        the sandbox died; its state is lost
    │   └── SandboxPathError        a path outside /mnt/data, or no such file
    ├── BrowserUnavailableError     no browser could be started                     the caller acts
    ├── ToolError                   a tool call failed                              the model acts
    │   └── ToolRetry               another call may work                           the model acts
    ├── ToolDefinitionError         a function or tool that cannot be offered       the caller acts
    ├── JournalError                a run cannot be recorded or read                the caller acts
    │   └── RunNotFoundError        the journal does not have a run of this id
    ├── GuardrailTripped            a hook stopped the run                          the caller acts
    └── RunError                    a run ended without an answer                   the caller acts
        ├── RunCancelled            the run was cancelled
        ├── LimitExceeded           the run reached one of its limits
        ├── OutputError             the answer never matched the output type
        └── TurnError               the model's turns were unusable

A message says what happened and what to do; facts are attributes, so nobody has to parse the text.

Whatever ends a run, also an exception from outside ossia, carries the run's facts:
`RunFacts.of(error)` returns the run's id, its messages (including reasoning) and its usage. On an
OssiaError they are attributes as well: `error.run_id`, `error.messages`, `error.usage`. They
survive pickling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_FACTS = "_ossia_run_facts"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run had done when an error ended it.

    try:
        await agent.run(task)
    except Exception as error:
        facts = RunFacts.of(error)
        if facts is not None:
            print(facts.run_id, facts.usage)
        raise
    """

    run_id: str
    messages: tuple[Any, ...] = field(default=(), repr=False)
    """The run so far as `harmony.Message`s, including reasoning."""
    usage: Any = None
    """What the run has used, as an `agent.Usage`; None if it had not started."""

    @classmethod
    def of(cls, error: BaseException) -> RunFacts | None:
        """Return the facts of the run that this error or cancellation ended, if there is one.

        They are also found through a TimeoutError of `asyncio.timeout` or `anyio.fail_after`, an
        error raised `from` the run's error, and an exception group in which only one run ended.
        """
        found = {facts.run_id: facts for facts in _facts_in(error)}
        return found.popitem()[1] if len(found) == 1 else None

    def attach(self, error: BaseException) -> None:
        """Add the facts to an error, unless it already has those of another run inside this one."""
        known = getattr(error, _FACTS, None)
        if known is None or known.run_id == self.run_id:
            setattr(error, _FACTS, self)


def _facts_in(error: BaseException) -> Iterator[RunFacts]:
    """Yield the facts of an error, or else of what it was raised from."""
    waiting, seen = [error], set[int]()
    while waiting:
        source = waiting.pop()
        if id(source) in seen:
            continue
        seen.add(id(source))
        facts = getattr(source, _FACTS, None)
        if isinstance(facts, RunFacts):
            yield facts
        elif source.__cause__ is not None:
            waiting.append(source.__cause__)
        elif isinstance(source, BaseExceptionGroup):
            waiting += source.exceptions
        elif isinstance(source, TimeoutError) and source.__context__ is not None:
            # anyio raises it in place of the cancellation, without naming that as its cause.
            waiting.append(source.__context__)


class OssiaError(Exception):
    """The base class of the errors of ossia."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the constructor with the text alone, which fails for keyword arguments.
        return _restore, (type(self), self.args, self.__dict__)

    @property
    def run_id(self) -> str:
        """The run that the error ended; empty if there was none."""
        facts = RunFacts.of(self)
        return facts.run_id if facts else ""

    @property
    def messages(self) -> tuple[Any, ...]:
        """The run so far as `harmony.Message`s, including reasoning."""
        facts = RunFacts.of(self)
        return facts.messages if facts else ()

    @property
    def usage(self) -> Any:
        """What the run has used, as an `agent.Usage`; None if there was no run."""
        facts = RunFacts.of(self)
        return facts.usage if facts else None


def _restore(kind: type[OssiaError], args: tuple[Any, ...], state: dict[str, Any]) -> OssiaError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class HarmonyError(OssiaError, ValueError):
    """Tokens or text that are not valid harmony; the caller decides what to do."""

    def __init__(
        self,
        text: str,
        *,
        at: int | None = None,
        token: int | None = None,
        state: str = "",
        header: str = "",
    ) -> None:
        super().__init__(text)
        self.at = at
        """Index of the offending token in everything that was fed; None if there is none."""
        self.token = token
        """The offending token id."""
        self.state = state
        """What the parser was reading: `start`, `header` or `content`."""
        self.header = header
        """The header text that was read so far."""


class MessageError(HarmonyError):
    """A message whose header cannot be rendered safely; the caller must change it."""


class EngineError(OssiaError):
    """The engine did not complete a turn; the caller must check the server."""

    def __init__(self, text: str, *, url: str = "", status: int | None = None) -> None:
        super().__init__(text)
        self.url = url
        """The URL of the engine."""
        self.status = status
        """The HTTP status, if the server answered with one."""


class EngineUnavailableError(EngineError):
    """Nothing answers at the URL, or not within the deadline."""


class ModelNotFoundError(EngineError):
    """The server does not serve the requested model."""

    def __init__(self, text: str, *, url: str, model: str, known: Sequence[str]) -> None:
        super().__init__(text, url=url, status=404)
        self.model = model
        self.known = tuple(known)
        """The models that the server serves."""


class ContextLengthError(EngineError):
    """The prompt and the turn do not fit the model's window."""

    def __init__(self, text: str, *, url: str, prompt_tokens: int, window: int | None) -> None:
        super().__init__(text, url=url, status=400)
        self.prompt_tokens = prompt_tokens
        self.window = window
        """The model's window in tokens; None if unknown."""


class EngineProtocolError(EngineError):
    """The server answers, but not the way an engine of token ids must."""


class ServerStartError(EngineError):
    """A server that ossia started did not become healthy."""

    def __init__(self, text: str, *, url: str = "", fault: str = "", log: str = "") -> None:
        super().__init__(text, url=url)
        self.fault = fault
        """The exception that ended the server, if its log has one."""
        self.log = log
        """The last lines that the server wrote."""


class SandboxError(OssiaError):
    """A sandbox could not do what it was asked; the caller must act."""


class SandboxUnavailableError(SandboxError):
    """This machine has no such sandbox; the text says how to get one."""


class SandboxImageError(SandboxError):
    """The sandbox image is missing or could not be built; the text says how to build it."""


class SandboxDiedError(SandboxError):
    """The sandbox died, and its state is lost."""


class SandboxPathError(SandboxError):
    """A path outside /mnt/data, or a file that does not exist."""


class BrowserUnavailableError(OssiaError):
    """Chromium could not be started; the text says how to get it."""


class ToolError(OssiaError):
    """A tool call failed; the model reads the text and should not simply try again."""


class ToolRetry(ToolError):  # noqa: N818 - part of the public contract
    """A tool call failed, but another call may work; the model reads the text."""


class ToolDefinitionError(OssiaError, TypeError):
    """A function or tool that cannot be offered to a model; the caller must change it."""


class JournalError(OssiaError):
    """A run that cannot be recorded or read; the caller must act."""

    def __init__(self, text: str, *, run_id: str = "") -> None:
        super().__init__(text)
        if run_id:
            RunFacts(run_id).attach(self)


class RunNotFoundError(JournalError):
    """The journal does not have a run of this id."""


class GuardrailTripped(OssiaError):  # noqa: N818 - part of the public contract
    """A hook stopped the run; raise it from any method of a `Hook`."""


class RunError(OssiaError):
    """A run ended without an answer; the caller decides what to do."""


class RunCancelled(RunError):  # noqa: N818 - part of the public contract
    """The run was cancelled. It is the cause of the cancellation and is never raised itself.

    except get_cancelled_exc_class() as cancelled:
        facts = RunFacts.of(cancelled)
        ...  # facts.messages
        raise
    """


class LimitExceeded(RunError):  # noqa: N818 - part of the public contract
    """The run reached one of its limits."""

    def __init__(self, text: str, *, limit: str) -> None:
        super().__init__(text)
        self.limit = limit
        """The field of `Limits` that was reached."""


class OutputError(RunError):
    """The answer never matched the output type, although the model was told why each time."""

    def __init__(self, text: str, *, answer: str, faults: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.answer = answer
        """The last answer, as it was sampled."""
        self.faults = tuple(faults)
        """Why each answer was rejected, in order, in the words that the model read."""


class TurnError(RunError):
    """The model's turns had neither a tool call nor an answer."""
