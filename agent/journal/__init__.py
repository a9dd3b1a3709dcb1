"""What a run leaves on disk as it goes, so that a killed process loses nothing."""

from .journal import Journal as Journal
from .journal import RunSummary as RunSummary
from .memory import MemoryJournal as MemoryJournal
from .records import Record as Record
from .sqlite import SQLiteJournal as SQLiteJournal
