"""What the model is shown of a run that has outgrown its window."""

from .policy import Context as Context
from .policy import ContextPolicy as ContextPolicy
from .policy import TrimContext as TrimContext
from .policy import Windowed as Windowed
from .read_tool_result import READ_TOOL_RESULT as READ_TOOL_RESULT
from .read_tool_result import read_tool_result_tool as read_tool_result_tool
from .read_tool_result import shown_with_recall as shown_with_recall
