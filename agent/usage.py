"""Usage of a run or a step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run or one of its steps has used so far."""

    steps: int = 0
    """Number of turns of the model."""
    tool_calls: int = 0
    """Tool calls that ran; a call that was refused does not count."""
    prompt_tokens: int = 0
    """Tokens of all prompts, including those that the engine's prefix cache served."""
    cached_tokens: int | None = 0
    """Prompt tokens that the engine's prefix cache served; None if the engine does not say."""
    sampled_tokens: int = 0
    reasoning_tokens: int = 0
    """Sampled tokens of reasoning, including its headers."""
    repairs: int = 0
    """Number of times the parser repaired what the model wrote."""
    resamples: int = 0
    """Number of turns that were discarded and sampled again."""
    engine_s: float = 0.0
    """Seconds of sampling."""
    tool_s: float = 0.0
    """Seconds of running tools."""

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
