"""One run of an agent: how it opens, its loop, its events, and how it ends."""

from .chat import Chat as Chat
from .lifecycle import fork_run as fork_run
from .lifecycle import resume_run as resume_run
from .lifecycle import start_run as start_run
from .lifecycle import tools_of as tools_of
from .loop import Observer as Observer
from .loop import Run as Run
from .meter import Meter as Meter
from .prompt import Task as Task
from .prompt import check_task as check_task
from .prompt import continued_instructions as continued_instructions
from .prompt import opening_messages as opening_messages
from .recorder import RunRecorder as RunRecorder
from .run_many import Outcome as Outcome
from .run_many import RunOptions as RunOptions
from .run_many import run_tasks as run_tasks
from .state import RunState as RunState
from .stream import RunStream as RunStream
from .stream import stream_events as stream_events
from .turn import CUT_OFF as CUT_OFF
