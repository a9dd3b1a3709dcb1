"""The one gate to the network that every connection passes."""

from .network_policy import NetworkPolicy as NetworkPolicy
from .proxy import GateProxy as GateProxy
from .transport import GatedTransport as GatedTransport
