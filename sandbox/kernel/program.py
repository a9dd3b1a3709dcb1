"""The start-up program of supervisor and worker, which imports the kernel from a descriptor."""

from __future__ import annotations

PROGRAM = """\
import sys
# The working folder is the data folder: a file there must not replace a module of the kernel.
sys.path[:] = [path for path in sys.path if path]
import importlib, json, os, socket
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
    control = socket.socket(socket.AF_UNIX)
    try:
        control.connect(path)
    except OSError:
        os.write(1, b'.')
    else:
        os.dup2(control.fileno(), 0)
        os.dup2(control.fileno(), 1)
    control.close()
if sys.argv[2] == 'supervisor' and sys.argv[3:]:
    connect(sys.argv[3])
source = int(sys.argv[1])
data = read(source, int(read(source, 12)))
sys.meta_path.append(Kernel(json.loads(data)['modules']))
importlib.import_module('ossia_kernel.' + sys.argv[2]).main(data)
"""
"""Its arguments: a descriptor with the modules and options, and the module whose `main` to call.

A supervisor also takes the path of a socket file, which replaces its stdin and stdout. If it
cannot connect, it writes one byte to stdout and keeps stdin and stdout.
"""


def add_length_prefix(data: bytes) -> bytes:
    """Return data in the form that `PROGRAM` reads: after its length in twelve digits."""
    return f"{len(data):012d}".encode() + data
