"""The browser tool that gpt-oss was trained with."""

from .tool import BrowserTool as BrowserTool
