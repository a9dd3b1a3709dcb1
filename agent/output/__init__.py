"""The output: the model's answer as the type that the agent asks for."""

from .format import OutputFormat as OutputFormat
from .format import OutputSpec as OutputSpec
from .format import RejectedAnswer as RejectedAnswer
from .partial import PartialAnswer as PartialAnswer
