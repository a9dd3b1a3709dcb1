"""Rendering of messages to tokens, in the exact form that gpt-oss was trained on."""

from .lenient import is_mapping as is_mapping
from .lenient import listing as listing
from .lenient import mapping as mapping
from .references import Located as Located
from .references import References as References
from .render import Reasoning as Reasoning
from .render import answer_header as answer_header
from .render import count as count
from .render import generation_prefix as generation_prefix
from .render import message_tokens as message_tokens
from .render import offers_functions as offers_functions
from .render import render as render
from .typescript import typescript as typescript
