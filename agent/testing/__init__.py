"""Tools for testing agents without a model."""

from .fake_vllm import FakeVLLM as FakeVLLM
from .fake_vllm import Grammars as Grammars
from .fake_vllm import Reply as Reply
from .fake_vllm import open_fake_vllm as open_fake_vllm
from .scripted import ScriptedEngine as ScriptedEngine
from .scripted import ScriptedTurn as ScriptedTurn
from .switches import forbid_real_engines as forbid_real_engines
from .switches import raise_tool_errors as raise_tool_errors
from .tape import Tape as Tape
from .test_engine import TestEngine as TestEngine
from .turns import answer_turn as answer_turn
from .turns import call_turn as call_turn
from .turns import harmony_tokens as harmony_tokens
from .turns import python_turn as python_turn
