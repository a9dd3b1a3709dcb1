"""Places where untrusted code runs, and is taken down again."""

from .backends import BubblewrapSandbox as BubblewrapSandbox
from .backends import DockerSandbox as DockerSandbox
from .backends import UnsafeLocalSandbox as UnsafeLocalSandbox
from .cleanup import prune as prune
from .default import SandboxOptions as SandboxOptions
from .default import open_sandbox as open_sandbox
from .host import get_folder as get_folder
from .host import put_folder as put_folder
from .images import build_image as build_image
from .images import build_tree as build_tree
from .images import image_tag as image_tag
from .images import prune_images as prune_images
from .log import get_logger as get_logger
from .pool import SandboxPool as SandboxPool
from .protocol import Execution as Execution
from .protocol import ExecutionError as ExecutionError
from .protocol import Sandbox as Sandbox
from .protocol import SandboxFile as SandboxFile
