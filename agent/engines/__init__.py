"""Engines: token ids in, token ids out."""

from .constrained import ConstrainedEngine as ConstrainedEngine
from .protocol import Engine as Engine
from .protocol import Sampled as Sampled
from .protocol import Sampling as Sampling
from .protocol import TurnRequest as TurnRequest
