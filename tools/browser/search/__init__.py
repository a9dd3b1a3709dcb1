"""What the browser may search with."""

from .backend import MAX_HITS as MAX_HITS
from .backend import Hit as Hit
from .backend import Library as Library
from .backend import SearchBackend as SearchBackend
from .backend import results_page as results_page
from .keyed import Brave as Brave
from .keyed import Exa as Exa
from .keyed import Tavily as Tavily
from .keyed import YouCom as YouCom
from .keyless import DuckDuckGo as DuckDuckGo
from .keyless import SearXNG as SearXNG
from .local import LocalSearch as LocalSearch
