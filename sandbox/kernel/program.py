"""What supervisor and worker are started with: it imports the kernel from a descriptor."""

from __future__ import annotations

PROGRAM = """\
import importlib, json, os, socket, sys
from importlib.machinery import ModuleSpec
def read(fd, size):
    data = b''
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data
class Kernel:
    def __init__(self, modules):
        self.modules = modules
    def find_spec(self, name, path=None, target=None):
        if name == 'ossia_kernel':
            return ModuleSpec(name, self, is_package=True)
        if name.startswith('ossia_kernel.') and name[13:] in self.modules:
            return ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        name = module.__name__[13:]
        exec(compile(self.modules.get(name, ''), '<ossia ' + name + '>', 'exec'), module.__dict__)
def connect(path):
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(path)
    except OSError:
        os.write(1, b'.')
    else:
        os.dup2(line.fileno(), 0)
        os.dup2(line.fileno(), 1)
    line.close()
if sys.argv[2] == 'supervisor' and sys.argv[3:]:
    connect(sys.argv[3])
source = int(sys.argv[1])
blob = read(source, int(read(source, 12)))
sys.meta_path.append(Kernel(json.loads(blob)['modules']))
importlib.import_module('ossia_kernel.' + sys.argv[2]).main(blob)
"""
"""Its arguments: a descriptor that holds a blob (see `packed`), and the module to call.

A supervisor may be given a socket file too: it takes the place of stdin and stdout. Where it
cannot be reached, one byte on stdout says so.
"""


def packed(blob: bytes) -> bytes:
    """Return a blob as `PROGRAM` reads it: its length in twelve digits, and itself."""
    return f"{len(blob):012d}".encode() + blob
