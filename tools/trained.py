"""The words gpt-oss was trained with. Light: whoever only renders prompts needs nothing else."""

from __future__ import annotations

PYTHON_TIMEOUT_S = 120.0
"""The deadline of one piece of code, as the model was told in training."""


def python_description(timeout_s: float = PYTHON_TIMEOUT_S) -> str:
    """The description of the python tool, word for word as the model saw it in training.

    timeout_s: the one word that may differ; the model plans with it, so it has to be true.
    Source: `SystemContent.with_python_tool` of openai-harmony 0.0.8.
    """
    return (
        "Use this tool to execute Python code in your chain of thought. The code will not be "
        "shown to the user. This tool should be used for internal reasoning, but not for code "
        "that is intended to be visible to the user (e.g. when creating plots, tables, or files)."
        "\n\n"
        "When you send a message containing Python code to python, it will be executed in a "
        "stateful Jupyter notebook environment. python will respond with the output of the "
        f"execution or time out after {timeout_s:.1f} seconds. The drive at '/mnt/data' can be "
        "used to save and persist user files. Internet access for this session is UNKNOWN. "
        "Depends on the cluster."
    )


PYTHON_DESCRIPTION = python_description()
