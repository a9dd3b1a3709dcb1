"""vLLM inside this very process as an engine, for batches on a machine of your own."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import structlog
from anyio import to_thread

from ....errors import EngineError
from ....harmony import STOP_TOKENS
from ...shared_resource import SharedResource
from ..constrained import ConstrainedEngine
from ..protocol import Sampled, Sampling
from ..window import room
from .completions_api import NO_ENDOFTEXT

log = structlog.get_logger()

INSTALL = "pip install 'ossia[vllm]'"
STOP_S = 15.0


class LocalVLLM(ConstrainedEngine[Any]):
    """A model that vLLM loads into this process; no server, no HTTP.

    model: a folder with a gpt-oss model, or a name that vLLM can load.
    engine_args: handed to vLLM's AsyncEngineArgs, such as `max_model_len=8192`.

    Loading takes a minute or more, so hold it open over all your runs:

        async with LocalVLLM("openai/gpt-oss-20b") as engine:
            results = [await Agent(engine).run(task) for task in tasks]

    A run that finds it closed loads it, and unloads it at its end. It needs asyncio as the event
    loop, and vLLM, which is an extra; without it EngineError is raised here.
    Source: vLLM, `AsyncLLM`; checked against 0.32.
    """

    def __init__(self, model: str | Path, **engine_args: Any) -> None:
        if find_spec("vllm") is None:
            raise EngineError(
                f"LocalVLLM needs vLLM in this environment: {INSTALL} on a machine with a GPU. Or "
                "serve the model with `ossia engine MODEL`, and use VLLMEngine"
            )
        self.model = str(model)
        self._engine_args = engine_args
        self._shared = SharedResource(self._load)

    def __repr__(self) -> str:
        return f"LocalVLLM({self.model!r})"

    async def window(self) -> int:
        """How many tokens the model can see: a prompt, and the turn that follows it."""
        async with self._shared.use() as engine:
            return int(engine.model_config.max_model_len)

    async def _turn(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        async with self._shared.use() as engine:
            window = int(engine.model_config.max_model_len)
            most = room(len(prompt), window, sampling.max_tokens)
            asked = {"prompt_token_ids": list(prompt)}
            try:
                outputs = engine.generate(asked, _params(sampling, most), uuid4().hex)
                async with aclosing(outputs):
                    async for output in outputs:
                        yield _sampled(output)
            except _failures() as error:
                raise EngineError(f"vLLM gave up on {self.model} in mid-turn: {error}") from error

    @asynccontextmanager
    async def _load(self) -> AsyncGenerator[Any]:
        """The loaded model; unloaded when the block ends."""
        arguments = import_module("vllm.engine.arg_utils")
        engines = import_module("vllm.v1.engine.async_llm")
        known = {one.name for one in fields(arguments.AsyncEngineArgs)}
        # What sampled tokens did in sliding-window layers is forgotten otherwise.
        kept = {"prefix_cache_retention_interval": None}.items()
        options = {name: value for name, value in kept if name in known} | self._engine_args
        try:
            chosen = arguments.AsyncEngineArgs(model=self.model, **options)
            engine = await to_thread.run_sync(engines.AsyncLLM.from_engine_args, chosen)
        except Exception as error:  # what vLLM may raise here has no common root
            raise EngineError(
                f"vLLM could not load {self.model}: {error}; its log above says why"
            ) from error
        log.info("model_loaded", model=self.model)
        try:
            yield engine
        finally:
            # Not in a thread: vLLM's listener in this loop would take the end for an accident.
            engine.shutdown(timeout=STOP_S)


def _params(sampling: Sampling, max_tokens: int) -> Any:
    """The SamplingParams of one turn."""
    sampled = import_module("vllm.sampling_params")
    grammar = None
    if sampling.grammar is not None:
        tag = json.dumps(sampling.grammar)
        grammar = sampled.StructuredOutputsParams(structural_tag=tag)
    return sampled.SamplingParams(
        max_tokens=max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        stop_token_ids=list(STOP_TOKENS),
        logit_bias=NO_ENDOFTEXT,
        structured_outputs=grammar,
        detokenize=False,
        output_kind=sampled.RequestOutputKind.DELTA,
    )


def _sampled(output: Any) -> Sampled:
    (one,) = output.outputs
    tokens = tuple(one.token_ids)
    if one.finish_reason is None:
        return Sampled(tokens=tokens)
    finish: Literal["stop", "length"] = "length" if one.finish_reason == "length" else "stop"
    return Sampled(tokens=tokens, finish=finish, cached_tokens=output.num_cached_tokens)


def _failures() -> tuple[type[Exception], ...]:
    """What vLLM raises where a turn cannot go on."""
    errors = import_module("vllm.v1.engine.exceptions")
    return (errors.EngineDeadError, errors.EngineGenerateError, ValueError)
