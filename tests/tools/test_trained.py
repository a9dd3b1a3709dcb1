"""The words gpt-oss was trained with."""

import importlib
import subprocess
import sys

from ossia.tools.trained import PYTHON_DESCRIPTION, python_description


def test_python_is_described_in_the_very_words_of_the_reference() -> None:
    SystemContent = importlib.import_module("openai_harmony").SystemContent  # noqa: N806 - it ships no types
    tools = SystemContent.new().with_python_tool().tools
    assert tools is not None
    assert tools["python"].description == PYTHON_DESCRIPTION


def test_another_deadline_changes_its_number_alone() -> None:
    assert python_description(9).replace("9.0 seconds", "120.0 seconds") == PYTHON_DESCRIPTION


def test_importing_the_tools_loads_nothing_heavy() -> None:
    code = (
        "import sys, ossia.tools\n"
        "print(*sorted({'docker', 'httpx', 'playwright', 'ossia.sandbox'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
