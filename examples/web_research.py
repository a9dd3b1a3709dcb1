"""Web research: the model searches and reads pages, and cites the lines behind each statement.

    ossia engine MODEL                      # in another terminal
    python examples/web_research.py "How do I cancel a task in asyncio?"
    python examples/web_research.py "..." --folder /usr/share/doc/python3-doc/html

By default it searches the web with DuckDuckGo, and reaches only public addresses. With --folder it
searches local files and needs no network.
"""

from __future__ import annotations

import argparse

import anyio

from ossia.agent import Agent, Engine, Limits, RunResult, VLLMEngine
from ossia.tools import BrowserTool, DuckDuckGo, LocalSearch, SearchBackend, link_citations

INSTRUCTIONS = """Research the question with the browser before you answer it. Open the pages you
rely on, and cite the lines behind each statement."""


async def research(engine: Engine, question: str, search: SearchBackend) -> RunResult[str]:
    """Answer a question from the pages that a search finds."""
    agent = Agent(
        engine,
        instructions=INSTRUCTIONS,
        tools=[BrowserTool(search=search)],
        limits=Limits(steps=20, seconds=600),
    )
    return await agent.run(question)


def report(result: RunResult[str]) -> str:
    """Return the answer in Markdown, followed by the passages that it cites."""
    parts = [link_citations(result.output, result.citations), ""]
    for citation in result.citations:
        if citation.shown:
            first, last = citation.lines
            parts.append(f"> {citation.text}\n> — {citation.title}, lines {first}-{last}\n")
        else:
            start, end = citation.span
            parts.append(f"Not found in any page: {result.output[start:end]}\n")
    return "\n".join(parts)


async def main() -> None:
    """Answer the question on the command line, and print the report."""
    parser = argparse.ArgumentParser(description="Answer a question from the web.")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="URL of the vLLM server")
    parser.add_argument("--folder", help="folder to search instead of the web")
    options = parser.parse_args()
    search = LocalSearch(options.folder) if options.folder else DuckDuckGo()
    async with VLLMEngine(options.url) as engine:
        print(report(await research(engine, options.question, search)))


if __name__ == "__main__":
    anyio.run(main)
