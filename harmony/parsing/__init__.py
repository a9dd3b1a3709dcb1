"""Parsing of tokens to messages, strict or lenient, as they stream."""

from .events import Delta as Delta
from .events import Ended as Ended
from .events import Ending as Ending
from .events import Event as Event
from .events import Repaired as Repaired
from .events import RepairKind as RepairKind
from .events import Started as Started
from .parser import StreamParser as StreamParser
from .parser import parse as parse
