"""The code that runs inside a sandbox: a supervisor, and a worker that runs the cells.

    host ==frames== supervisor --requests--> worker      (IPython, or plain Python without it)
                         ^------- reports ------'
                         ^--- stdout, stderr ---'        (pipes: C code and child processes too)

Only the supervisor has the channel to the host, and the worker cannot trace it or read its
memory. So nothing that a cell prints, writes or forges can pass for a frame. The size of the
worker's reports is bounded, and a forged report can harm only its own cell.

These modules use only the standard library (and IPython if it is installed). The host sends
their source text when a sandbox starts, so no image needs to contain them.
"""

from .frames import MAX_BODY as MAX_BODY
from .frames import FrameError as FrameError
from .frames import Header as Header
from .frames import Unpacker as Unpacker
from .frames import pack as pack
from .program import PROGRAM as PROGRAM
from .program import add_length_prefix as add_length_prefix
