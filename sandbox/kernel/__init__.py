"""What runs inside a sandbox: a supervisor that talks to us, and a worker that runs the cells.

    caller ==frames== supervisor --requests--> worker    (IPython, or plain Python without it)
                          ^------- reports ------'
                          ^--- stdout, stderr ---'       (pipes: C code and child processes too)

The supervisor alone holds the caller's channel. It cannot be traced or read by the worker, so
nothing that a cell prints, writes or forges can pass for a frame of ours; what the worker reports
is bounded, and believed only where it can do no harm beyond its own cell.

These modules use the standard library alone (and IPython where it is installed). They are sent
as text when a sandbox starts, so that no image has to carry them.
"""

from .frames import MAX_BODY as MAX_BODY
from .frames import FrameError as FrameError
from .frames import Header as Header
from .frames import Unpacker as Unpacker
from .frames import pack as pack
from .program import PROGRAM as PROGRAM
from .program import packed as packed
