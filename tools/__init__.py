"""ossia.tools: what a model may call, and what becomes of its calls.

    @tool
    def get_weather(city: str, days: Annotated[int, Field(ge=1, le=7)] = 1) -> Forecast:
        ...

    async with Toolbox([get_weather, PythonTool()]) as tools:
        message = await tools.dispatch(call)

A function's signature and docstring are all that the model is told. A Toolbox lives as long as one
run; whatever goes wrong inside a tool, it turns into words that the model can act on.
"""

from ..errors import ToolDefinitionError as ToolDefinitionError
from ..errors import ToolError as ToolError
from ..errors import ToolRetry as ToolRetry
from .browser.chromium import Chromium as Chromium
from .browser.search.backend import Hit as Hit
from .browser.search.backend import SearchBackend as SearchBackend
from .browser.search.keyed import Brave as Brave
from .browser.search.keyed import Exa as Exa
from .browser.search.keyed import Tavily as Tavily
from .browser.search.keyed import YouCom as YouCom
from .browser.search.keyless import DuckDuckGo as DuckDuckGo
from .browser.search.keyless import SearXNG as SearXNG
from .browser.search.local import LocalSearch as LocalSearch
from .browser.tool import BrowserTool as BrowserTool
from .citation import Citation as Citation
from .citation import link_citations as link_citations
from .context import RunContext as RunContext
from .contract import Answer as Answer
from .contract import Attachment as Attachment
from .contract import Citing as Citing
from .contract import Keeper as Keeper
from .contract import OpenTool as OpenTool
from .contract import Result as Result
from .contract import Stateful as Stateful
from .contract import Tool as Tool
from .decorator import tool as tool
from .function import FunctionTool as FunctionTool
from .options import Options as Options
from .python import PythonTool as PythonTool
from .toolbox import Toolbox as Toolbox
