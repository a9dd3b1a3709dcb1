"""What a run, or one step of it, has used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run, or one step of it, has used so far."""

    steps: int = 0
    """Turns of the model."""
    tool_calls: int = 0
    prompt_tokens: int = 0
    """Prompt tokens, all steps together; what the engine served from its cache counts too."""
    cached_tokens: int | None = 0
    """How many of them the engine's prefix cache served; None where it does not say."""
    sampled_tokens: int = 0
    reasoning_tokens: int = 0
    """How many of the sampled tokens belong to reasoning, headers included."""
    repairs: int = 0
    """How often the parser had to mend what the model wrote."""
    resamples: int = 0
    """How many of the turns were beyond use and sampled again."""
    engine_s: float = 0.0
    tool_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        cached = (
            None
            if self.cached_tokens is None or other.cached_tokens is None
            else self.cached_tokens + other.cached_tokens
        )
        return Usage(
            steps=self.steps + other.steps,
            tool_calls=self.tool_calls + other.tool_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=cached,
            sampled_tokens=self.sampled_tokens + other.sampled_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            repairs=self.repairs + other.repairs,
            resamples=self.resamples + other.resamples,
            engine_s=self.engine_s + other.engine_s,
            tool_s=self.tool_s + other.tool_s,
        )
