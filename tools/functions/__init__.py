"""Python functions as tools."""

from .arguments import arguments_json as arguments_json
from .arguments import faults as faults
from .arguments import invalid_arguments as invalid_arguments
from .arguments import unwrapped as unwrapped
from .callables import is_async as is_async
from .decorator import as_tool as as_tool
from .decorator import tool as tool
from .function_tool import FunctionTool as FunctionTool
from .options import Options as Options
