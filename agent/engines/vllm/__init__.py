"""vLLM as an engine: a server, or in this process."""

from .engine import VLLMEngine as VLLMEngine
from .hardware import default_model as default_model
from .hardware import has_gpu as has_gpu
from .hardware import require_checkpoint as require_checkpoint
from .launch import engine_python as engine_python
from .local import LocalVLLM as LocalVLLM
from .server import Server as Server
from .server import open_server as open_server
