"""The in-process engine, in environments with and without vLLM."""

from __future__ import annotations

import json
import os
import sysconfig
from pathlib import Path

import anyio
import pytest

from ossia.agent import LocalVLLM
from ossia.agent.engines.vllm import engine_python
from ossia.errors import EngineError

ROOT = Path(__file__).parents[3]


def test_without_vllm_the_error_says_how_to_install_it() -> None:
    with pytest.raises(EngineError, match=r"pip install 'ossia\[vllm\]'.*ossia engine"):
        LocalVLLM("openai/gpt-oss-20b")


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_complete_runs_need_no_server() -> None:
    from examples.tiny_gpt_oss import checkpoint

    program = Path(__file__).with_name("local_vllm_runs.py")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / ".typing"),
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    libraries = sysconfig.get_path("purelib")
    command = [str(engine_python()), str(program), str(checkpoint()), libraries]
    with anyio.fail_after(570):
        done = await anyio.run_process(command, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    facts = json.loads(done.stdout.decode().splitlines()[-1])
    assert facts["obeys_grammars"]
    assert facts["output"] == "It is 21 degrees and clear in Paris."
    assert facts["cached"] == [0, 256], "only full blocks of 128 tokens are cached"
    assert facts["limited"] == [3, "length"]
    assert facts["stopped_early"] == 1
    assert facts["window"] == 8192
