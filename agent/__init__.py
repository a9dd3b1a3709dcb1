"""Ask the engine, run the calls, repeat: the loop, its engines, the command line."""

from .agent import Agent as Agent
from .engine import Engine as Engine
from .engine import Sampled as Sampled
from .engine import Sampling as Sampling
from .events import AnswerDelta as AnswerDelta
from .events import AnswerPartial as AnswerPartial
from .events import AnswerRejected as AnswerRejected
from .events import CallAnswered as CallAnswered
from .events import CallArgumentsDelta as CallArgumentsDelta
from .events import CallStarted as CallStarted
from .events import Event as Event
from .events import PreambleDelta as PreambleDelta
from .events import ReasoningDelta as ReasoningDelta
from .events import RunFinished as RunFinished
from .events import StepFinished as StepFinished
from .events import StepStarted as StepStarted
from .events import TurnDiscarded as TurnDiscarded
from .events import TurnRepaired as TurnRepaired
from .limits import Limits as Limits
from .result import Citation as Citation
from .result import RunFile as RunFile
from .result import RunResult as RunResult
from .result import Usage as Usage
from .server import Server as Server
from .server import open_server as open_server
from .vllm import VLLMEngine as VLLMEngine
