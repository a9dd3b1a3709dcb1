"""The prompt of a run that has outgrown the model's context window."""

from .policy import Context as Context
from .policy import ContextPolicy as ContextPolicy
from .policy import TrimContext as TrimContext
from .policy import Windowed as Windowed
from .read_tool_result import READ_TOOL_RESULT as READ_TOOL_RESULT
from .read_tool_result import READ_TOOL_RESULT_TOOL as READ_TOOL_RESULT_TOOL
from .read_tool_result import ReadTool as ReadTool
from .read_tool_result import make_read_tools as make_read_tools
from .read_tool_result import replacements_in_prompt as replacements_in_prompt
