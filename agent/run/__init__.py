"""The loop of a run, and what it is made of."""

from .chat import Chat as Chat
from .lifecycle import FORBIDDEN as FORBIDDEN
from .lifecycle import Task as Task
from .lifecycle import begun as begun
from .lifecycle import forked as forked
from .lifecycle import resumed as resumed
from .lifecycle import tools_of as tools_of
from .loop import Run as Run
from .meter import Meter as Meter
from .prompt import opening as opening
from .recorder import RunRecorder as RunRecorder
from .run_many import Outcome as Outcome
from .run_many import outcomes as outcomes
from .running import finished as finished
from .running import result_of as result_of
from .running import told as told
from .state import State as State
from .turn import CUT as CUT
