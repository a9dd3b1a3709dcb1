"""ossia.harmony: tokens to messages, messages to tokens.

OpenAI's harmony format for gpt-oss, token-exact on the way out, forgiving on the way in. Pure: no
network, no files but the vocabulary inside the package, no event loop.

    transcript = Transcript([Message("system", SystemContent()), Message("user", "2 + 2?")])
    tokens = sample(transcript.prompt(), stop=STOP_TOKENS)
    for message in transcript.append_sampled(tokens):
        print(message.channel, message.text)
"""

from . import special as special
from .content import DeveloperContent as DeveloperContent
from .content import ReasoningEffort as ReasoningEffort
from .content import ResponseFormat as ResponseFormat
from .content import SystemContent as SystemContent
from .content import ToolDescription as ToolDescription
from .content import ToolNamespace as ToolNamespace
from .events import Delta as Delta
from .events import Ended as Ended
from .events import Ending as Ending
from .events import Event as Event
from .events import Repaired as Repaired
from .events import RepairKind as RepairKind
from .events import Started as Started
from .header import Header as Header
from .messages import Message as Message
from .messages import Role as Role
from .messages import conversation_from_json as conversation_from_json
from .messages import conversation_to_json as conversation_to_json
from .parser import StreamParser as StreamParser
from .parser import parse as parse
from .render import Reasoning as Reasoning
from .render import count as count
from .render import render as render
from .special import STOP_TOKENS as STOP_TOKENS
from .transcript import Transcript as Transcript
from .turn_grammar import turn_grammar as turn_grammar
from .typescript import typescript as typescript
from .vocabulary import decode as decode
from .vocabulary import encode as encode
from .vocabulary import write_ranks as write_ranks
