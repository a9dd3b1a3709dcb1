"""The browser's network access. Every connection is checked against one NetworkPolicy."""

from .network_policy import NetworkPolicy as NetworkPolicy
from .proxy import FilteringProxy as FilteringProxy
from .transport import PolicyTransport as PolicyTransport
