"""Every error that ossia raises.

    OssiaError
    ├── HarmonyError                tokens or text that are not harmony          the caller acts
    │   └── MessageError            a message that could not be rendered safely  the caller acts
    ├── EngineError                 the engine did not complete the turn         the caller acts
    │   ├── EngineUnavailableError  nobody answers at the URL, or not in time
    │   ├── ModelNotFoundError      the server does not serve that model
    │   ├── ContextLengthError      prompt and answer do not fit the window
    │   ├── EngineProtocolError     the server answers, but not with token ids
    │   └── ServerStartError        a server of ours did not come up
    ├── SandboxError                a sandbox could not do what it was asked     the caller acts
    │   ├── SandboxUnavailableError this machine offers no such sandbox
    │   ├── SandboxImageError       the image is missing or could not be made
    │   ├── SandboxDiedError        the sandbox went away; its state is lost
    │   └── SandboxPathError        a path outside /mnt/data, or no such file
    ├── BrowserUnavailableError     no browser could be started                  the caller acts
    ├── ToolError                   a call failed                                the model is told
    │   └── ToolRetry               it may work if tried again                   the model is told
    ├── ToolDefinitionError         a function or tool that cannot be offered    the caller acts
    ├── JournalError                a run cannot be written down or found        the caller acts
    └── RunError                    a run ended without an answer                the caller acts
        ├── RunCancelled            somebody cancelled the run
        ├── LimitExceeded           a limit of the run was reached
        ├── OutputError             the answer never became the asked type
        └── TurnError               the model's turn was beyond use

A message names what was given and the way out; facts are attributes: nobody parses the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OssiaError(Exception):
    """The root of everything that ossia raises on purpose."""


class HarmonyError(OssiaError, ValueError):
    """Tokens or text that are not harmony; the caller decides what to do with them."""

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
        """Index of the offending token in everything that was fed, if one token is to blame."""
        self.token = token
        """The offending token id."""
        self.state = state
        """What the parser was reading: `start`, `header` or `content`."""
        self.header = header
        """The header text read so far."""


class MessageError(HarmonyError):
    """A message whose header would not survive rendering; the caller must change it."""


class EngineError(OssiaError):
    """The engine did not complete a turn; the caller must look at the server."""

    def __init__(self, text: str, *, url: str = "", status: int | None = None) -> None:
        super().__init__(text)
        self.url = url
        """Where the engine was asked."""
        self.status = status
        """The HTTP status, if the server answered with one."""


class EngineUnavailableError(EngineError):
    """Nobody answers at the URL, or not within the deadline."""


class ModelNotFoundError(EngineError):
    """The server does not serve the model that was asked for."""

    def __init__(self, text: str, *, url: str, model: str, known: Sequence[str]) -> None:
        super().__init__(text, url=url, status=404)
        self.model = model
        self.known = tuple(known)
        """The models that the server does serve."""


class ContextLengthError(EngineError):
    """The prompt and the answer do not fit the model's window."""

    def __init__(self, text: str, *, url: str, prompt_tokens: int, window: int | None) -> None:
        super().__init__(text, url=url, status=400)
        self.prompt_tokens = prompt_tokens
        self.window = window
        """The model's window in tokens, where the server names it."""


class EngineProtocolError(EngineError):
    """The server answers, but not as an engine that speaks token ids must."""


class ServerStartError(EngineError):
    """An engine server that ossia started did not become healthy."""

    def __init__(self, text: str, *, url: str = "", fault: str = "", log: str = "") -> None:
        super().__init__(text, url=url)
        self.fault = fault
        """What it died of, where its log says so."""
        self.log = log
        """The last lines that the server wrote."""


class SandboxError(OssiaError):
    """A sandbox could not do what it was asked; the caller must act."""


class SandboxUnavailableError(SandboxError):
    """This machine offers no such sandbox; the text names the ways to get one."""


class SandboxImageError(SandboxError):
    """The sandbox image is missing or was not made; the text names the command that makes it."""


class SandboxDiedError(SandboxError):
    """The sandbox went away, and its state with it."""


class SandboxPathError(SandboxError):
    """A path that leads outside /mnt/data, or to no file."""


class BrowserUnavailableError(OssiaError):
    """No Chromium could be started; the text names the way to get one."""


class ToolError(OssiaError):
    """A call failed; the model reads the text, and should not simply try again."""


class ToolRetry(ToolError):  # noqa: N818 - part of the public contract
    """A call failed in a way that another try may mend; the model reads the text."""


class ToolDefinitionError(OssiaError, TypeError):
    """A function or tool that cannot be offered to a model; the caller must change it."""


class JournalError(OssiaError):
    """A run that is not in the journal, or cannot be written there; the caller must act."""

    def __init__(self, text: str, *, run_id: str = "") -> None:
        super().__init__(text)
        self.run_id = run_id


class RunError(OssiaError):
    """A run ended without an answer; the caller decides what to do."""

    run_id: str = ""
    messages: tuple[Any, ...] = ()
    """The run so far, as `harmony.Message`s, reasoning included."""
    usage: Any = None
    """What it used, as an `agent.Usage`."""


class RunCancelled(RunError):  # noqa: N818 - part of the public contract
    """Somebody cancelled the run. It travels with the cancellation, and is never raised itself.

    except get_cancelled_exc_class() as cancelled:
        run = RunCancelled.of(cancelled)
        ...  # run.messages
        raise
    """

    def __init__(self, text: str, *, run_id: str = "") -> None:
        super().__init__(text)
        self.run_id = run_id

    @classmethod
    def of(cls, cancelled: BaseException) -> RunCancelled | None:
        """The run that a cancellation has ended, if it has ended one."""
        return cancelled.__cause__ if isinstance(cancelled.__cause__, cls) else None


class LimitExceeded(RunError):  # noqa: N818 - part of the public contract
    """A limit of the run was reached."""

    def __init__(self, text: str, *, limit: str) -> None:
        super().__init__(text)
        self.limit = limit
        """The field of `Limits` that was reached."""


class OutputError(RunError):
    """The answer never became the asked type, however often the model was told why."""

    def __init__(
        self,
        text: str,
        *,
        answer: str,
        faults: Sequence[str] = (),
    ) -> None:
        super().__init__(text)
        self.answer = answer
        """The last answer, as it was sampled."""
        self.faults = tuple(faults)
        """Why each answer was refused, in order, in the words that the model was told."""


class TurnError(RunError):
    """The model's turn ended in neither a call nor an answer."""
