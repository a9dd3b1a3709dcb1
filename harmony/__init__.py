"""Tokens to messages, messages to tokens. Pure: no I/O, no asyncio."""
