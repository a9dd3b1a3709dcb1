"""The text of a page, against the reference. `python tests/bench/browser.py`."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from ratios import Case, show

from ossia.harmony import write_ranks
from ossia.tools.browser.html import read_html

DOCS = Path("/usr/share/doc/python3-doc/html")
PAGES = 40
SIZES = range(20_000, 200_000)
"""Bytes of a page; one of the few larger ones would outweigh all others."""
URL = "http://docs.example/"
RANKS_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


def reference(folder: Path) -> Any:
    """The reference's module that makes text of HTML, from its wheel; it has no types."""
    command = [sys.executable, "-m", "pip", "download", "gpt-oss==0.0.9", "--no-deps", "--quiet"]
    command += ["--python-version=3.12", "--only-binary=:all:", f"--dest={folder}"]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    # tiktoken looks for its download under the hash of the address.
    name = hashlib.sha1(RANKS_URL.encode(), usedforsecurity=False).hexdigest()
    shutil.copy(write_ranks(folder), folder / name)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    sys.path.append(str(wheel))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("gpt_oss.tools.simple_browser.page_contents")


def main() -> None:
    """Print everything."""
    if not DOCS.is_dir():
        raise SystemExit("no pages here: apt-get install python3-doc")
    found = [file for file in sorted(DOCS.rglob("*.html")) if file.stat().st_size in SIZES]
    files = [found[at * len(found) // PAGES] for at in range(PAGES)]
    pages = [(file.read_text(), f"{URL}{file.relative_to(DOCS)}") for file in files]
    with tempfile.TemporaryDirectory(prefix="ossia-bench-") as folder:
        theirs = reference(Path(folder))

        def read_theirs() -> None:
            for html, url in pages:
                theirs.process_html(html=html, url=url, title=None, display_urls=True)

        def read_ours() -> None:
            for html, url in pages:
                read_html(html, url)

        case = Case("text of Python's documentation", read_theirs, read_ours, 10, PAGES, "page")
        show([case], reference="gpt-oss 0.0.9", spend_s=30)


if __name__ == "__main__":
    main()
