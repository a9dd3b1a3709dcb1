"""The cause of a server's crash, in logs that vLLM 0.32 writes."""

from __future__ import annotations

import pytest

from ossia.agent.engines.vllm.crash_log import find_crash_cause

API = "(APIServer pid=25999) "
CORE = "(EngineCore pid=26283) ERROR 11-22 06:12:35 [core.py:1510] "
ARGUMENTS = """\
usage: api_server.py [-h] [--headless] [--log-error-stack | --no-log-error-stack]
                     [model_tag]
api_server.py: error: unrecognized arguments: --foo
"""
CONTEXT_LENGTH = """\
(APIServer pid=1) WARNING 11-22 06:09:01 [system_utils.py:255] failed with error current limit
Traceback (most recent call last):
  File "arg_utils.py", line 1, in create_model_config
    return ModelConfig(
pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
  Value error, User-specified max_model_len (99999999) is greater than the derived max_model_len
    For further information visit https://errors.pydantic.dev/2.14/v/value_error
"""
WEIGHTS = f"""\
{CORE}EngineCore failed to start.
{CORE}Traceback (most recent call last):
{CORE}  File "weight_utils.py", line 1208, in safetensors_weights_iterator
{CORE}safetensors.SafetensorError: Error while deserializing header: incomplete metadata
Process EngineCore:
Traceback (most recent call last):
  File "process.py", line 314, in _bootstrap
safetensors.SafetensorError: Error while deserializing header: incomplete metadata
{API}Traceback (most recent call last):
{API}  File "utils.py", line 1088, in wait_for_engine_startup
{API}RuntimeError: Engine core initialization failed. See root cause above.
"""
EXCEPTION_CHAIN = """\
KeyError: 'rope'

During handling of the above exception, another exception occurred:

ValueError: this model has no rope
"""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (ARGUMENTS, "api_server.py: error: unrecognized arguments: --foo"),
        (
            CONTEXT_LENGTH,
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "  Value error, User-specified max_model_len (99999999) is greater than the derived "
            "max_model_len\n"
            "    For further information visit https://errors.pydantic.dev/2.14/v/value_error",
        ),
        (
            WEIGHTS,
            "safetensors.SafetensorError: Error while deserializing header: incomplete metadata",
        ),
        (EXCEPTION_CHAIN, "ValueError: this model has no rope"),
        ("INFO 11-22 06:12:35 [api.py:1] Error handling is on\nloading", ""),
        ("ValueError: " + "x" * 10_000, "ValueError: " + "x" * 588),
        ("", ""),
    ],
)
def test_finds_the_cause_above_the_end_of_the_log(log: str, cause: str) -> None:
    assert find_crash_cause(log) == cause
