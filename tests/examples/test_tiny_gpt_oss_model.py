"""The training code, run in the engine's environment, which has torch and transformers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ossia.agent.engines.vllm import engine_python

CHECKOUT = Path(__file__).parents[2]

AGREEMENT = """
import sys
from pathlib import Path

import torch
from transformers import GptOssForCausalLM

from examples.tiny_gpt_oss.expand import expand
from examples.tiny_gpt_oss.training.model import Shape, TinyGptOss
from examples.tiny_gpt_oss.training.pack import pack
from examples.tiny_gpt_oss.training.initialization import initialize

torch.set_num_threads(1)
tokens = list(range(1_000, 1_100))
net = TinyGptOss(Shape(len(tokens) + 1))
initialize(net, seed=0)
net.load_state_dict({name: w.to(torch.bfloat16) for name, w in net.state_dict().items()})
folder = Path(sys.argv[1])
pack(net, tokens, 1.0, folder / "packed.xz")
expand(folder / "packed.xz", folder / "checkpoint")
reference = GptOssForCausalLM.from_pretrained(folder / "checkpoint", dtype=torch.float32).eval()

torch.manual_seed(1)
prefix, own = torch.randint(0, 100, (170,)), torch.randint(0, 100, (3, 60))
with torch.no_grad():
    ours = net(prefix, own, torch.ones(own.shape, dtype=torch.bool)).view(3, 60, -1)
    whole = torch.cat((prefix.expand(3, -1), own), 1) + tokens[0]
    logits = reference(whole).logits[:, 170:]
assert torch.allclose(ours[..., :100], logits[..., 1_000:1_100], atol=1e-4)
unknown = logits[..., :1_000].max().item()
assert unknown < logits[..., 1_000:1_100].min().item() - 1_000, "an unknown token may be sampled"
"""


def run_in_engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(engine_python()), *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": ".typing", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.vllm
@pytest.mark.timeout(180)
def test_transformers_computes_the_logits_of_the_training_code(tmp_path: Path) -> None:
    process = run_in_engine("-c", AGREEMENT, str(tmp_path))
    assert process.returncode == 0, process.stderr


@pytest.mark.vllm
@pytest.mark.timeout(180)
def test_training_with_the_same_seed_packs_the_same_model(tmp_path: Path) -> None:
    packed: list[bytes] = []
    for name in ("first.xz", "second.xz"):
        process = run_in_engine(
            "-m", "examples.tiny_gpt_oss.train", "--steps=2", f"--out={tmp_path / name}"
        )
        assert process.returncode == 0, process.stderr
        packed.append((tmp_path / name).read_bytes())
    assert packed[0] == packed[1]
    assert 500_000 < len(packed[0]) < 1_100_000
