"""Search backends: web search engines, and a folder of local files."""

from .backend import MAX_HITS as MAX_HITS
from .backend import Hit as Hit
from .backend import PageCollection as PageCollection
from .backend import SearchBackend as SearchBackend
from .backend import results_page as results_page
from .brave import Brave as Brave
from .duckduckgo import DuckDuckGo as DuckDuckGo
from .exa import Exa as Exa
from .local import LocalSearch as LocalSearch
from .searxng import SearXNG as SearXNG
from .tavily import Tavily as Tavily
from .you_com import YouCom as YouCom
