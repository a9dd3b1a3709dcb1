"""Journals: durable records of runs, so that a killed process loses nothing."""

from .memory import MemoryJournal as MemoryJournal
from .protocol import Journal as Journal
from .protocol import RunSummary as RunSummary
from .protocol import digest_of as digest_of
from .records import ContextTrimmed as ContextTrimmed
from .records import OutputAccepted as OutputAccepted
from .records import Record as Record
from .records import RecordedFile as RecordedFile
from .records import RunFailed as RunFailed
from .records import RunOpened as RunOpened
from .records import RunResumed as RunResumed
from .records import ToolResultRecorded as ToolResultRecorded
from .records import TurnSampled as TurnSampled
from .records import UserMessageAdded as UserMessageAdded
from .records import from_json as from_json
from .records import to_json as to_json
from .sqlite import SQLiteJournal as SQLiteJournal
