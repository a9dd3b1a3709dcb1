"""`help()` shows what every field means."""

from __future__ import annotations

import pydoc
from dataclasses import fields
from typing import Any

import pytest

from ossia.agent import Agent, Limits, RunFile, RunResult, Sampling
from ossia.tools import Options, document_fields


@pytest.mark.parametrize("documented", [Agent, Limits, Sampling, Options, RunResult, RunFile])
def test_help_describes_every_field(documented: Any) -> None:
    shown = pydoc.plain(pydoc.render_doc(documented))
    lines = [line.removeprefix(" |").strip() for line in shown.splitlines()]
    described = [line.removesuffix(":") for line in lines if line.endswith(":")]
    missing = {field.name for field in fields(documented)} - {*described}
    assert missing == set()


def test_a_class_of_the_user_has_its_own_docstring() -> None:
    class Careful(Agent[str]):
        """Asks before it acts."""

    assert Careful.__doc__ == "Asks before it acts."


def test_without_source_the_docstring_stays() -> None:
    unknown: Any = type("Made", (), {"__doc__": "As it is.", "__module__": "ossia.nowhere"})
    assert document_fields(unknown).__doc__ == "As it is."
