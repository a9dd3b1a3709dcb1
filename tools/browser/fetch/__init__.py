"""Fetching pages: over plain HTTP, or with Chromium when a page needs JavaScript."""

from .chromium import Chromium as Chromium
from .http import HttpFetcher as HttpFetcher
from .page_fetcher import PageFetcher as PageFetcher
from .robots import RobotsTxt as RobotsTxt
