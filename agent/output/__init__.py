"""From the model's answer to the type that was asked for."""

from .format import OutputFormat as OutputFormat
from .format import OutputSpec as OutputSpec
from .format import RejectedAnswer as RejectedAnswer
from .partial import PartialAnswer as PartialAnswer
