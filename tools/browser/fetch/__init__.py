"""Pages over HTTP, or built by Chromium."""

from .chromium import Chromium as Chromium
from .http import Http as Http
from .pages import Pages as Pages
from .robots import Robots as Robots
