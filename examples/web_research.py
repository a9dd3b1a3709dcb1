"""Web research: the model searches and reads, and its claims lead to the lines it was shown.

    ossia engine MODEL                      # in another terminal
    python examples/web_research.py "How do I cancel a task in asyncio?"
    python examples/web_research.py "..." --folder /usr/share/doc/python3-doc/html

Without a folder it searches the web, by DuckDuckGo; only the public internet can be reached.
"""

from __future__ import annotations

import argparse
import logging

import anyio
import structlog

from ossia.agent import Agent, Engine, Limits, RunResult, VLLMEngine
from ossia.tools import BrowserTool, DuckDuckGo, LocalSearch, SearchBackend, link_citations

INSTRUCTIONS = """Research the question with the browser before you answer it. Open the pages you
rely on, and cite the lines behind each statement."""


async def research(engine: Engine, question: str, search: SearchBackend) -> RunResult[str]:
    """Answer a question from what a search finds."""
    agent = Agent(
        engine,
        instructions=INSTRUCTIONS,
        tools=[BrowserTool(search=search)],
        limits=Limits(steps=20, seconds=600),
    )
    return await agent.run(question)


def report(result: RunResult[str]) -> str:
    """The answer in Markdown, and below it the passages it stands on."""
    lines = [link_citations(result.output, result.citations), ""]
    for one in result.citations:
        if one.shown:
            lines.append(f"> {one.text}\n> — {one.title}, lines {one.lines[0]}-{one.lines[1]}\n")
        else:
            start, end = one.span
            lines.append(f"Not found in any page: {result.output[start:end]}\n")
    return "\n".join(lines)


async def main() -> None:
    """Read the command line, ask, and print the report."""
    parser = argparse.ArgumentParser(description="Answer a question from what a search finds.")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where vLLM serves")
    parser.add_argument("--folder", help="search here, and not in the web")
    given = parser.parse_args()
    search = LocalSearch(given.folder) if given.folder else DuckDuckGo()
    async with VLLMEngine(given.url) as engine:
        print(report(await research(engine, given.question, search)))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    anyio.run(main)
