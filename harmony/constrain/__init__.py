"""Grammars that let an engine enforce the format of a turn."""

from .turn_grammar import PROBE_TEXT as PROBE_TEXT
from .turn_grammar import answer_grammar as answer_grammar
from .turn_grammar import probe_turn_grammar as probe_turn_grammar
from .turn_grammar import turn_grammar as turn_grammar
