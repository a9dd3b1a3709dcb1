"""Importing ossia does nothing: no output, no look at the environment, no file, no connection."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.house.sources import imports, sources

WATCH = """
import importlib, json, os, sys, sysconfig

foreign, ours = json.loads(sys.argv[1])
library = sysconfig.get_path("stdlib")
files = set(ours.values())
for name in foreign:
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # an extra that is not installed
import pydantic
pydantic.TypeAdapter(int)  # pydantic looks for its plugins at its first schema

done = []

def from_here():
    # The place of ours that asks Python's library for something, not a library that we import.
    frame = sys._getframe(2)
    while frame and frame.f_code.co_filename.startswith(("<frozen os", "<frozen _coll", library)):
        if "site-packages" in frame.f_code.co_filename:
            return None
        frame = frame.f_back
    if frame and frame.f_code.co_filename in files:
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"

class Environment(type(os.environ)):
    def __getitem__(self, key):
        if place := from_here():
            done.append(f"{place} reads ${key}")
        return super().__getitem__(key)

def audit(event, arguments):
    if event in WATCHED and (place := from_here()):
        done.append(f"{place} does {event} {arguments[:1]}")

WATCHED = {"open", "socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.mkdir"}
os.environ.__class__ = Environment
sys.addaudithook(audit)
for name in ours:
    importlib.import_module(name)
sys.exit("\\n".join(done) or None)
"""


def test_importing_does_nothing() -> None:
    ours = {
        name: source
        for name, source in sources().items()
        if not name.startswith("ossia.sandbox.kernel")
    }
    found = {module for source in ours.values() for module in imports(source, sources())}
    foreign = sorted(module for module in found if module.split(".")[0] != "ossia")
    facts = json.dumps([foreign, {name: str(source.path) for name, source in ours.items()}])
    done = subprocess.run(
        [sys.executable, "-c", WATCH, facts], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
