"""Importing ossia has no side effects: no output, file, connection or environment access."""

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

effects = []

def calling_line():
    # Return our line that called the standard library, or None if another library called it.
    frame = sys._getframe(2)
    while frame and frame.f_code.co_filename.startswith(("<frozen os", "<frozen _coll", library)):
        if "site-packages" in frame.f_code.co_filename:
            return None
        frame = frame.f_back
    if frame and frame.f_code.co_filename in files:
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"

class Environment(type(os.environ)):
    def __getitem__(self, key):
        if line := calling_line():
            effects.append(f"{line} reads ${key}")
        return super().__getitem__(key)

def audit(event, arguments):
    if event in WATCHED and (line := calling_line()):
        effects.append(f"{line} does {event} {arguments[:1]}")

WATCHED = {"open", "socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.mkdir"}
os.environ.__class__ = Environment
sys.addaudithook(audit)
for name in ours:
    importlib.import_module(name)
sys.exit("\\n".join(effects) or None)
"""


def test_importing_has_no_side_effects() -> None:
    ours = {
        name: source
        for name, source in sources().items()
        if not name.startswith("ossia.sandbox.kernel")
    }
    found = {module for source in ours.values() for module in imports(source, sources())}
    foreign = sorted(module for module in found if module.split(".")[0] != "ossia")
    modules = json.dumps([foreign, {name: str(source.path) for name, source in ours.items()}])
    process = subprocess.run(
        [sys.executable, "-c", WATCH, modules], capture_output=True, text=True, check=False
    )
    assert (process.stdout, process.stderr, process.returncode) == ("", "", 0)
