"""ossia.tools: what a model can call, and the code that runs its calls.

    @tool
    def get_weather(city: str, days: Annotated[int, Field(ge=1, le=7)] = 1) -> Forecast:
        ...

    async with Toolbox([get_weather, PythonTool()]) as toolbox:
        result = await toolbox.call(message)

The model learns about a function from its signature and docstring. A Toolbox lasts for one run. It
turns every failure of a tool into a message that the model can act on.
"""

from ..errors import ToolDefinitionError as ToolDefinitionError
from ..errors import ToolError as ToolError
from ..errors import ToolRetry as ToolRetry
from .apply_patch import ApplyPatch as ApplyPatch
from .artifacts import DATA_FOLDER as DATA_FOLDER
from .browser import Brave as Brave
from .browser import BrowserTool as BrowserTool
from .browser import Chromium as Chromium
from .browser import DuckDuckGo as DuckDuckGo
from .browser import Exa as Exa
from .browser import Hit as Hit
from .browser import LocalSearch as LocalSearch
from .browser import SearchBackend as SearchBackend
from .browser import SearXNG as SearXNG
from .browser import Tavily as Tavily
from .browser import YouCom as YouCom
from .cancellation import is_cancelled as is_cancelled
from .cancellation import is_failure as is_failure
from .citations import Citation as Citation
from .citations import link_citations as link_citations
from .field_docs import document_fields as document_fields
from .functions import FunctionTool as FunctionTool
from .functions import Options as Options
from .functions import tool as tool
from .interface import check_method as check_method
from .interface import check_parameters as check_parameters
from .protocol import Attachment as Attachment
from .protocol import CitationSource as CitationSource
from .protocol import FileStore as FileStore
from .protocol import OpenTool as OpenTool
from .protocol import RunContext as RunContext
from .protocol import Stateful as Stateful
from .protocol import Tool as Tool
from .protocol import ToolCall as ToolCall
from .protocol import ToolResult as ToolResult
from .protocol import ToolReturn as ToolReturn
from .python import PythonTool as PythonTool
from .recipients import FUNCTIONS as FUNCTIONS
from .toolbox import Toolbox as Toolbox
