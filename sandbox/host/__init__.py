"""The host side of a kernel: its start, the channel to it, and its client."""

from .bootstrap import boot_command as boot_command
from .channel import Channel as Channel
from .channel import ChannelClosedError as ChannelClosedError
from .channel import DockerChannel as DockerChannel
from .client import KernelClient as KernelClient
from .folders import get_folder as get_folder
from .folders import put_folder as put_folder
from .kernel_sandbox import START_S as START_S
from .kernel_sandbox import STOP_S as STOP_S
from .kernel_sandbox import KernelSandbox as KernelSandbox
from .output import CellOutput as CellOutput
from .process import KernelProcess as KernelProcess
