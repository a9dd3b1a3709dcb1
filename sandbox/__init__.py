"""Places where untrusted code runs, and is taken down again."""

from .bubblewrap import BubblewrapSandbox as BubblewrapSandbox
from .docker import DockerSandbox as DockerSandbox
from .execution import Execution as Execution
from .execution import ExecutionError as ExecutionError
from .execution import Sandbox as Sandbox
from .execution import SandboxFile as SandboxFile
from .folders import get_folder as get_folder
from .folders import put_folder as put_folder
from .image import build_image as build_image
from .image import build_tree as build_tree
from .image import image_tag as image_tag
from .local import UnsafeLocalSandbox as UnsafeLocalSandbox
from .opening import SandboxOptions as SandboxOptions
from .opening import open_sandbox as open_sandbox
from .pool import SandboxPool as SandboxPool
from .reaper import prune as prune
from .reaper import prune_images as prune_images
