"""Engines: token ids in, token ids out."""

from .protocol import Engine as Engine
from .protocol import Sampled as Sampled
from .protocol import Sampling as Sampling
