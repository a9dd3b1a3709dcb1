"""The browser tool that gpt-oss was trained with, and its search backends."""

from .fetch import Chromium as Chromium
from .search import Brave as Brave
from .search import DuckDuckGo as DuckDuckGo
from .search import Exa as Exa
from .search import Hit as Hit
from .search import LocalSearch as LocalSearch
from .search import SearchBackend as SearchBackend
from .search import SearXNG as SearXNG
from .search import Tavily as Tavily
from .search import YouCom as YouCom
from .tool import BrowserTool as BrowserTool
