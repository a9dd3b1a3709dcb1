"""Print the folder of the checkpoint: `python -m examples.tiny_gpt_oss`."""

from . import checkpoint

print(checkpoint())
