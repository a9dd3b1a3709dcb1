"""The places where a kernel can run: Docker, bubblewrap, a local process."""

from .bubblewrap import BubblewrapSandbox as BubblewrapSandbox
from .docker import DockerSandbox as DockerSandbox
from .local import UnsafeLocalSandbox as UnsafeLocalSandbox
