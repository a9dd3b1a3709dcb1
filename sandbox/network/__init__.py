"""What sandboxed code and the browser may connect to."""

from .addresses import is_public as is_public
from .egress import INSIDE as INSIDE
from .egress import Egress as Egress
from .serve_while import bind_inside as bind_inside
from .serve_while import while_serving as while_serving
