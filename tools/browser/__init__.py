"""The browser tool that gpt-oss was trained with."""
