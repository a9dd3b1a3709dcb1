"""ossia.agent: agents, their runs, engines and journals.

agent = Agent(VLLMEngine("http://127.0.0.1:8000"), tools=[PythonTool()])
result = await agent.run("What is 417 * 38?")
"""

from ..errors import RunFacts as RunFacts
from ..tools import Citation as Citation
from .agent import Agent as Agent
from .context import Context as Context
from .context import ContextPolicy as ContextPolicy
from .context import TrimContext as TrimContext
from .context import Windowed as Windowed
from .engines import ConstrainedEngine as ConstrainedEngine
from .engines import Engine as Engine
from .engines import Sampled as Sampled
from .engines import Sampling as Sampling
from .engines import TurnRequest as TurnRequest
from .engines.vllm import LocalVLLM as LocalVLLM
from .engines.vllm import Server as Server
from .engines.vllm import VLLMEngine as VLLMEngine
from .engines.vllm import open_server as open_server
from .events import AnswerDelta as AnswerDelta
from .events import AnswerPartial as AnswerPartial
from .events import AnswerRejected as AnswerRejected
from .events import Event as Event
from .events import LimitReached as LimitReached
from .events import PreambleDelta as PreambleDelta
from .events import PromptTrimmed as PromptTrimmed
from .events import ReasoningDelta as ReasoningDelta
from .events import RunFinished as RunFinished
from .events import RunStarted as RunStarted
from .events import StepFinished as StepFinished
from .events import StepStarted as StepStarted
from .events import ToolCallArgumentsDelta as ToolCallArgumentsDelta
from .events import ToolCallFinished as ToolCallFinished
from .events import ToolCallReady as ToolCallReady
from .events import ToolCallsDropped as ToolCallsDropped
from .events import ToolCallStarted as ToolCallStarted
from .events import TurnDiscarded as TurnDiscarded
from .events import TurnRepaired as TurnRepaired
from .hooks import Hook as Hook
from .hooks import Refusal as Refusal
from .journal import Journal as Journal
from .journal import MemoryJournal as MemoryJournal
from .journal import Record as Record
from .journal import RunSummary as RunSummary
from .journal import SQLiteJournal as SQLiteJournal
from .limits import Limits as Limits
from .output import OutputSpec as OutputSpec
from .result import RunFile as RunFile
from .result import RunResult as RunResult
from .run import Chat as Chat
from .run import Outcome as Outcome
from .run import RunStream as RunStream
from .run import Task as Task
from .usage import Usage as Usage
