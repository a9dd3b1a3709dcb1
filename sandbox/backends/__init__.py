"""The kinds of sandboxes: Docker, bubblewrap, and a local process."""

from .bubblewrap import BubblewrapSandbox as BubblewrapSandbox
from .docker import DockerSandbox as DockerSandbox
from .local import UnsafeLocalSandbox as UnsafeLocalSandbox
