"""One whole turn as a grammar that an engine can enforce."""

from .turn_grammar import CANARY_SONG as CANARY_SONG
from .turn_grammar import answer_grammar as answer_grammar
from .turn_grammar import canary_grammar as canary_grammar
from .turn_grammar import turn_grammar as turn_grammar
