"""Stand-ins for the world's side of an agent, so that users test theirs without a model."""

from .fake_vllm import FakeVLLM as FakeVLLM
from .fake_vllm import Reply as Reply
from .fake_vllm import open_fake_vllm as open_fake_vllm
from .forbidding import forbid_real_engines as forbid_real_engines
from .scripted import ScriptedEngine as ScriptedEngine
from .scripted import harmony_tokens as harmony_tokens
from .tape import Tape as Tape
