"""Time to turn HTML into text, compared with the reference. `python tests/bench/browser.py`."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ratios import Case, show_sum

from ossia.harmony import write_ranks
from ossia.tools.browser.text.html import read_html

DOCS = {
    "python3-doc": Path("/usr/share/doc/python3-doc/html"),
    "git-doc": Path("/usr/share/doc/git/html"),
}
PAGES = 100
"""Number of pages from each package, evenly spaced: the same pages that the tests read."""
URL = "http://docs.example/"
_DECLARATION = re.compile(r"^\s*<\?xml.*?\?>")
RANKS_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


def load_reference(folder: Path) -> Any:
    """Return the reference's module that turns HTML into text, from its wheel. It has no types."""
    command = [sys.executable, "-m", "pip", "download", "gpt-oss==0.0.9", "--no-deps", "--quiet"]
    command += ["--python-version=3.12", "--only-binary=:all:", f"--dest={folder}"]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    # tiktoken caches a download under the hash of its URL.
    name = hashlib.sha1(RANKS_URL.encode(), usedforsecurity=False).hexdigest()
    shutil.copy(write_ranks(folder), folder / name)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    sys.path.append(str(wheel))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("gpt_oss.tools.simple_browser.page_contents")


def pages(package: str) -> list[tuple[str, str]]:
    """Return the HTML and the URL of a package's pages."""
    if not DOCS[package].is_dir():
        raise SystemExit(f"pages not installed: apt-get install {package}")
    found = sorted(DOCS[package].rglob("*.html"))
    files = [found[i * len(found) // PAGES] for i in range(PAGES)]
    # The reference rejects text with an encoding declaration, which XHTML may have.
    return [
        (_DECLARATION.sub("", file.read_text()), f"{URL}{file.relative_to(DOCS[package])}")
        for file in files
    ]


def main() -> None:
    """Print the results."""
    all_pages = [page for package in DOCS for page in pages(package)]
    with tempfile.TemporaryDirectory(prefix="ossia-bench-") as folder:
        reference_module = load_reference(Path(folder))

        def read_theirs(part: Sequence[tuple[str, str]]) -> None:
            for html, url in part:
                reference_module.process_html(html=html, url=url, title=None, display_urls=True)

        def read_ours(part: Sequence[tuple[str, str]]) -> None:
            for html, url in part:
                read_html(html, url)

        parts = [all_pages[i : i + 10] for i in range(0, len(all_pages), 10)]
        cases = [
            Case(
                "text of documentation",
                partial(read_theirs, part),
                partial(read_ours, part),
                10,
                len(part),
                "page",
            )
            for part in parts
        ]
        show_sum(cases, reference="gpt-oss 0.0.9")


if __name__ == "__main__":
    main()
