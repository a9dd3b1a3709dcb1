"""Python functions as tools."""

from .arguments import describe_errors as describe_errors
from .arguments import extract_arguments as extract_arguments
from .arguments import invalid_arguments_error as invalid_arguments_error
from .arguments import unwrap as unwrap
from .callables import is_async as is_async
from .decorator import as_tool as as_tool
from .decorator import tool as tool
from .function_tool import FunctionTool as FunctionTool
from .function_tool import Options as Options
from .run_function import run_function as run_function
