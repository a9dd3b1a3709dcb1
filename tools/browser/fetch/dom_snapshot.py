"""A page as its scripts have built it: as one text of HTML, with what components keep inside."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Page

# A component shows what its shadow tree holds, and in its slots what was written between its tags.
# That is copied into a document without a window, where nothing of it comes to life. Null for a
# page without components.
_FLATTENED = """(() => {
  if (![...document.querySelectorAll("*")].some((element) => element.shadowRoot)) return null;
  const inert = document.implementation.createHTMLDocument("");
  const inside = (node) => {
    if (node.shadowRoot) return node.shadowRoot.childNodes;
    const given = node.localName === "slot" ? node.assignedNodes() : [];
    return given.length ? given : node.childNodes;
  };
  const flat = (node) => {
    const copy = inert.importNode(node, false);
    for (const child of inside(node)) copy.appendChild(flat(child));
    return copy;
  };
  return "<!DOCTYPE html>" + flat(document.documentElement).outerHTML;
})()"""


async def built(page: Page, control: Any) -> str:
    """The page's HTML, once it goes nowhere else.

    control: its CDP session.
    """
    from playwright.async_api import Error as PlaywrightError

    while True:
        try:
            return await _flattened(control) or await page.content()
        except PlaywrightError as error:
            if "navigating" not in error.message:
                raise
            await page.wait_for_load_state("domcontentloaded")


async def _flattened(control: Any) -> str | None:
    """The page with its components laid open; None if it has none, or not to be had."""
    from playwright.async_api import Error as PlaywrightError

    asked = {"expression": _FLATTENED, "returnByValue": True}
    with suppress(PlaywrightError):  # the page goes elsewhere, or is gone
        tree = await control.send("Page.getFrameTree")
        frame = {"frameId": tree["frameTree"]["frame"]["id"]}
        # A world of our own: the page's scripts cannot reach what is called in it.
        world = await control.send("Page.createIsolatedWorld", frame)
        asked["contextId"] = world["executionContextId"]
        told = await control.send("Runtime.evaluate", asked)
        html: str | None = told["result"].get("value")
        return html
    return None
