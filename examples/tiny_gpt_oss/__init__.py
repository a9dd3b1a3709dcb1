"""A model of the gpt-oss architecture, small enough to ship and to serve on any machine."""

from .expand import checkpoint as checkpoint
