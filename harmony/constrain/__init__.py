"""One whole turn as a grammar that an engine can enforce."""

from .turn_grammar import PROBE_TEXT as PROBE_TEXT
from .turn_grammar import answer_grammar as answer_grammar
from .turn_grammar import probe_grammar_tag as probe_grammar_tag
from .turn_grammar import turn_grammar as turn_grammar
