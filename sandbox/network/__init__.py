"""Network access of sandboxed code and of the browser."""

from .addresses import is_public as is_public
from .egress import EGRESS_SOCKET as EGRESS_SOCKET
from .egress import Egress as Egress
from .serve_while import listen_for_sandbox as listen_for_sandbox
from .serve_while import while_serving as while_serving
