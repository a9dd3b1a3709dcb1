"""What the model may call: the registry, the user's functions, python."""

from ..errors import ToolDefinitionError as ToolDefinitionError
from ..errors import ToolError as ToolError
from ..errors import ToolRetry as ToolRetry
from .context import RunContext as RunContext
from .contract import Answer as Answer
from .contract import Attachment as Attachment
from .contract import Keeper as Keeper
from .contract import OpenTool as OpenTool
from .contract import Result as Result
from .contract import Tool as Tool
from .decorator import tool as tool
from .function import FunctionTool as FunctionTool
from .options import Options as Options
from .python import PythonTool as PythonTool
from .toolbox import Toolbox as Toolbox
