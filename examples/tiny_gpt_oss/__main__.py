"""`python -m examples.tiny_gpt_oss` prints the checkpoint's folder."""

from . import checkpoint

print(checkpoint())
