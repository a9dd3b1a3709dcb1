"""vLLM in this process as an engine, for batches on your own machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import anyio

from ....errors import EngineError
from ....harmony import STOP_TOKENS
from ....sandbox import get_logger
from ...shared_resource import SharedResource, UsesSharedResource
from ..constrained import ConstrainedEngine
from ..protocol import Sampled, TurnRequest, max_new_tokens
from .completions_api import FORBID_ENDOFTEXT

log = get_logger("ossia.agent.engines")

INSTALL = "pip install 'ossia[vllm]'"
STOP_S = 15.0


class LocalVLLM(UsesSharedResource[Any]):
    """A model that vLLM loads into this process, without a server and without HTTP.

    model: a folder with a gpt-oss model, or a name that vLLM can load.
    engine_args: passed to vLLM's AsyncEngineArgs, such as `max_model_len=8192`.

    Loading takes a minute or more, so keep it open for all your runs:

        async with LocalVLLM("openai/gpt-oss-20b") as engine:
            results = [await Agent(engine).run(task) for task in tasks]

    A run that finds it closed loads it, and unloads it when the run ends. It needs the asyncio
    event loop, and vLLM, which is an extra; without vLLM, creating it raises EngineError.
    Source: vLLM, `AsyncLLM`; checked against 0.32.
    """

    def __init__(self, model: str | Path, **engine_args: Any) -> None:
        if find_spec("vllm") is None:
            raise EngineError(
                f"LocalVLLM needs vLLM in this environment: {INSTALL} on a machine with a GPU. Or "
                "serve the model with `ossia engine MODEL` and use VLLMEngine"
            )
        self.model = str(model)
        self._engine_args = engine_args
        self._shared = SharedResource(self._load)
        self._constrained = ConstrainedEngine(_InProcess(self, self._shared))

    def __repr__(self) -> str:
        return f"LocalVLLM({self.model!r})"

    def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Sample one turn; see `Engine.generate`. Raises EngineError with vLLM's own words."""
        return self._constrained.generate(request)

    async def obeys_grammars(self) -> bool:
        """Return whether this vLLM holds a turn to its grammar. Tries it once."""
        return await self._constrained.obeys_grammars()

    async def window(self) -> int:
        """Return the model's window: tokens of the prompt and the turn together."""
        async with self._shared.use() as engine:
            return int(engine.model_config.max_model_len)

    @asynccontextmanager
    async def _load(self) -> AsyncGenerator[Any]:
        """Load the model, and unload it when the block ends."""
        arguments = import_module("vllm.engine.arg_utils")
        engines = import_module("vllm.v1.engine.async_llm")
        known = {field.name for field in fields(arguments.AsyncEngineArgs)}
        # Otherwise vLLM drops the cache of sampled tokens in sliding-window layers.
        defaults = {"prefix_cache_retention_interval": None}.items()
        options = {name: value for name, value in defaults if name in known} | self._engine_args
        try:
            engine_args = arguments.AsyncEngineArgs(model=self.model, **options)
            engine = await anyio.to_thread.run_sync(engines.AsyncLLM.from_engine_args, engine_args)
        except Exception as error:  # vLLM's exceptions have no common base class
            raise EngineError(
                f"vLLM could not load {self.model}: {error}; its log above says why"
            ) from error
        log.info("model_loaded", model=self.model)
        try:
            yield engine
        finally:
            # Not in a thread: vLLM's listener in this event loop would report it as a crash.
            engine.shutdown(timeout=STOP_S)


class _InProcess:
    """A loaded model as an engine, without any constraint."""

    def __init__(self, engine: LocalVLLM, shared: SharedResource[Any]) -> None:
        self._engine = engine
        self._shared = shared

    def __repr__(self) -> str:
        return repr(self._engine)

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        async with self._shared.use() as engine:
            window = int(engine.model_config.max_model_len)
            max_tokens = max_new_tokens(len(request.prompt), window, request.sampling.max_tokens)
            prompt = {"prompt_token_ids": list(request.prompt)}
            try:
                outputs = engine.generate(prompt, _params(request, max_tokens), uuid4().hex)
                async with aclosing(outputs):
                    async for output in outputs:
                        yield _sampled(output)
            except _turn_errors() as error:
                raise EngineError(
                    f"vLLM failed in the middle of a turn of {self._engine.model}: {error}"
                ) from error


def _params(request: TurnRequest, max_tokens: int) -> Any:
    """Return the SamplingParams of one turn."""
    module = import_module("vllm.sampling_params")
    sampling, grammar = request.sampling, None
    if request.grammar is not None:
        grammar = module.StructuredOutputsParams(grammar=request.grammar)
    return module.SamplingParams(
        max_tokens=max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        stop_token_ids=list(STOP_TOKENS),
        logit_bias=FORBID_ENDOFTEXT,
        structured_outputs=grammar,
        detokenize=False,
        output_kind=module.RequestOutputKind.DELTA,
    )


def _sampled(output: Any) -> Sampled:
    (completion,) = output.outputs
    tokens = tuple(completion.token_ids)
    if completion.finish_reason is None:
        return Sampled(tokens=tokens)
    finish: Literal["stop", "length"] = "length" if completion.finish_reason == "length" else "stop"
    return Sampled(tokens=tokens, finish=finish, cached_tokens=output.num_cached_tokens)


def _turn_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that vLLM raises when a turn cannot continue."""
    errors = import_module("vllm.v1.engine.exceptions")
    return (errors.EngineDeadError, errors.EngineGenerateError, ValueError)
