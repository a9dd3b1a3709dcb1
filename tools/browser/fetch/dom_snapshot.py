"""The HTML of a page after its scripts have run, including the shadow DOM."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Page

# Replaces each web component by its shadow tree, and each slot by its assigned nodes. The copy is
# made in a document without a window, so nothing in it runs. Null if the page has no components.
_FLATTEN_SHADOW_TREES = """(() => {
  if (![...document.querySelectorAll("*")].some((element) => element.shadowRoot)) return null;
  const inert = document.implementation.createHTMLDocument("");
  const children = (node) => {
    if (node.shadowRoot) return node.shadowRoot.childNodes;
    const assigned = node.localName === "slot" ? node.assignedNodes() : [];
    return assigned.length ? assigned : node.childNodes;
  };
  const flatten = (node) => {
    const copy = inert.importNode(node, false);
    for (const child of children(node)) copy.appendChild(flatten(child));
    return copy;
  };
  return "<!DOCTYPE html>" + flatten(document.documentElement).outerHTML;
})()"""


async def take_dom_snapshot(page: Page, cdp: Any) -> str:
    """Return the page's HTML, once it has stopped navigating.

    cdp: the page's CDP session.
    """
    from playwright.async_api import Error as PlaywrightError

    while True:
        try:
            return await _flatten_shadow_trees(cdp) or await page.content()
        except PlaywrightError as error:
            if "navigating" not in error.message:
                raise
            await page.wait_for_load_state("domcontentloaded")


async def _flatten_shadow_trees(cdp: Any) -> str | None:
    """Return the HTML with shadow trees in place, or None if there are none or it fails."""
    from playwright.async_api import Error as PlaywrightError

    options = {"expression": _FLATTEN_SHADOW_TREES, "returnByValue": True}
    with suppress(PlaywrightError):  # the page navigates or is closed
        tree = await cdp.send("Page.getFrameTree")
        frame = {"frameId": tree["frameTree"]["frame"]["id"]}
        # In an isolated world, the page's scripts cannot replace the functions called here.
        world = await cdp.send("Page.createIsolatedWorld", frame)
        options["contextId"] = world["executionContextId"]
        evaluated = await cdp.send("Runtime.evaluate", options)
        html: str | None = evaluated["result"].get("value")
        return html
    return None
