"""Render messages to tokens, and parse tokens to messages, in OpenAI's harmony format.

Rendering is exact to the token; parsing tolerates what models get wrong. This package does no
I/O except reading the vocabulary file that it ships, and it needs no event loop.

    transcript = Transcript([Message("system", SystemContent()), Message("user", "2 + 2?")])
    tokens = sample(transcript.prompt(), stop=STOP_TOKENS)
    for message in transcript.append_sampled(tokens):
        print(message.channel, message.text)
"""

from .constrain import turn_grammar as turn_grammar
from .format import STOP_TOKENS as STOP_TOKENS
from .format import DeveloperContent as DeveloperContent
from .format import Header as Header
from .format import Message as Message
from .format import ReasoningEffort as ReasoningEffort
from .format import ResponseFormat as ResponseFormat
from .format import Role as Role
from .format import SystemContent as SystemContent
from .format import ToolDescription as ToolDescription
from .format import ToolNamespace as ToolNamespace
from .format import conversation_from_json as conversation_from_json
from .format import conversation_to_json as conversation_to_json
from .format import decode as decode
from .format import encode as encode
from .format import special as special
from .format import write_ranks as write_ranks
from .parsing import Delta as Delta
from .parsing import Ended as Ended
from .parsing import Ending as Ending
from .parsing import Event as Event
from .parsing import Repaired as Repaired
from .parsing import RepairKind as RepairKind
from .parsing import Started as Started
from .parsing import StreamParser as StreamParser
from .parsing import parse as parse
from .rendering import Reasoning as Reasoning
from .rendering import count as count
from .rendering import render as render
from .rendering import typescript as typescript
from .transcript import Transcript as Transcript
