"""The stateful notebook that the trained description of the python tool promises."""

from __future__ import annotations

import inspect
import sys
import venv
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from ossia.errors import SandboxError
from ossia.sandbox import Sandbox, UnsafeLocalSandbox

from .conftest import Kind


async def test_state_is_kept_between_cells(shared: Sandbox) -> None:
    await shared.execute("x = 20")
    assert (await shared.execute("x + 1")).result == "21"


async def test_the_default_time_limit_is_the_120_seconds_of_the_trained_description(
    kind: Kind,
) -> None:
    assert inspect.signature(kind.execute).parameters["timeout_s"].default == 120.0


async def test_files_persist_under_mnt_data(shared: Sandbox) -> None:
    done = await shared.execute("open('/mnt/data/kept.txt', 'w').write('kept')")
    assert done.files == ("/mnt/data/kept.txt",)
    await shared.execute("import os; os._exit(1)")
    assert (await shared.execute("open('/mnt/data/kept.txt').read()")).result == "'kept'"


async def test_a_cell_starts_in_mnt_data(shared: Sandbox) -> None:
    assert (await shared.execute("import os; os.getcwd()")).result == "'/mnt/data'"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 + 1", "2"),
        ("'text'", "'text'"),
        ("None", None),
        ("1 + 1;", None),
        ("x = 5", None),
        ("1\n2", "2"),
        ("[0] * 3", "[0, 0, 0]"),
        ("'π → ∞'", "'π → ∞'"),
        ("import pandas as pd; pd.DataFrame({'a': [1, 2]})", "   a\n0  1\n1  2"),
        ("import sympy; sympy.sqrt(8)", "2*sqrt(2)"),
    ],
)
async def test_the_last_expression_is_shown_as_in_a_notebook(
    shared: Sandbox, code: str, shown: str | None
) -> None:
    done = await shared.execute(code)
    assert (done.result, done.stdout, done.error) == (shown, "", None)


async def test_printed_text_is_not_the_result(shared: Sandbox) -> None:
    done = await shared.execute("print('out'); import sys; print('err', file=sys.stderr); 7")
    assert (done.stdout, done.stderr, done.result) == ("out\n", "err\n", "7")


async def test_underscore_is_the_last_result(shared: Sandbox) -> None:
    await shared.execute("6 * 7")
    assert (await shared.execute("_ + 1")).result == "43"


async def test_await_works_at_top_level(shared: Sandbox) -> None:
    done = await shared.execute("import asyncio\nawait asyncio.sleep(0, 'awaited')")
    assert done.result == "'awaited'"


async def test_shell_lines_and_magics_work(shared: Sandbox) -> None:
    assert (await shared.execute("!echo from the shell")).stdout == "from the shell\n"
    assert (await shared.execute("name = 'x'\n!echo {name}$name")).stdout == "xx\n"
    assert (await shared.execute("%%bash\necho one\necho two >&2")).stdout == "one\n"
    assert "loop" in (await shared.execute("%timeit -n1 -r1 pass")).stdout


async def test_a_traceback_looks_like_a_notebooks_without_kernel_frames(sandbox: Sandbox) -> None:
    done = await sandbox.execute("def f(x):\n    return 1 / x\n\nf(0)")
    assert done.error is not None
    assert (done.error.name, done.error.message) == ("ZeroDivisionError", "division by zero")
    assert done.error.traceback.replace("In [1]", "In[1]") == snapshot(
        """\
---------------------------------------------------------------------------
ZeroDivisionError                         Traceback (most recent call last)
Cell In[1], line 4
      1 def f(x):
      2     return 1 / x
----> 4 f(0)

Cell In[1], line 2, in f(x)
      1 def f(x):
----> 2     return 1 / x

ZeroDivisionError: division by zero\
"""
    )


async def test_output_before_an_error_is_kept(shared: Sandbox) -> None:
    done = await shared.execute("print('before')\nraise KeyError('gone')")
    assert done.stdout == "before\n"
    assert done.error is not None
    assert (done.error.name, done.error.message) == ("KeyError", "'gone'")


async def test_a_syntax_error_is_an_error(shared: Sandbox) -> None:
    done = await shared.execute("for")
    assert done.error is not None
    assert done.error.name == "SyntaxError"
    assert "ossia" not in done.error.traceback


@pytest.mark.parametrize("code", ["input('your name? ')", "import getpass; getpass.getpass()"])
async def test_interactive_input_fails_at_once(shared: Sandbox, code: str) -> None:
    done = await shared.execute(code, timeout_s=10)
    assert done.error is not None
    assert not done.timed_out


async def test_input_fails_with_an_explanation(shared: Sandbox) -> None:
    done = await shared.execute("input()")
    assert done.error is not None
    assert "input() is not supported" in done.error.message
    assert "ossia" not in done.error.traceback


async def test_figures_are_saved_as_numbered_files(sandbox: Sandbox) -> None:
    code = (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nplt.plot([3]); plt.show()"
    )
    done = await sandbox.execute(code)
    assert (done.error, done.stderr) == (None, "")
    assert done.files == ("/mnt/data/figure-1.png", "/mnt/data/figure-2.png")
    assert (await sandbox.get("figure-1.png")).startswith(b"\x89PNG")
    unshown = await sandbox.execute("plt.plot([1, 2]);")
    assert unshown.files == ("/mnt/data/figure-3.png",)


async def test_the_packages_of_the_image_are_installed(shared: Sandbox) -> None:
    names = "numpy pandas scipy sympy matplotlib IPython requests openpyxl PIL"
    done = await shared.execute(
        f"import importlib\n[importlib.import_module(name) and 0 for name in '{names}'.split()]",
    )
    assert done.error is None
    linear = await shared.execute("import numpy as np; np.linalg.solve([[2, 0], [0, 4]], [1, 1])")
    assert linear.result == "array([0.5 , 0.25])"


async def test_cells_of_two_tasks_run_one_after_the_other(shared: Sandbox) -> None:
    await shared.execute("order = []")
    code = "order += ['in']; import time; time.sleep(0.05); order += ['out']"
    async with anyio.create_task_group() as group:
        group.start_soon(shared.execute, code)
        group.start_soon(shared.execute, code)
    assert (await shared.execute("order")).result == "['in', 'out', 'in', 'out']"


@pytest.mark.parametrize("timeout_s", [0, -1, float("inf"), float("nan")])
async def test_an_invalid_time_limit_is_refused(shared: Sandbox, timeout_s: float) -> None:
    with pytest.raises(SandboxError, match="timeout_s"):
        await shared.execute("1", timeout_s=timeout_s)


async def test_a_cell_that_is_too_long_is_refused(shared: Sandbox) -> None:
    with pytest.raises(SandboxError, match="`put` it as a file"):
        await shared.execute("#" * 2_000_000)


async def test_a_long_cell_runs(shared: Sandbox) -> None:
    assert (await shared.execute("# " + "x" * 900_000 + "\n5")).result == "5"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"memory_mib": 1}, "memory_mib is 1; the minimum is 128"),
        ({"cpus": 0}, "cpus is 0"),
        ({"network": "all"}, "use 'none' or 'egress'"),
        ({"allow_hosts": ("pypi.org",)}, "allow_hosts needs network='egress'"),
        ({"network": "egress", "allow_hosts": "pypi.org"}, "allow_hosts is one string"),
    ],
)
def test_invalid_options_are_named_in_the_error(kind: Kind, options: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        kind(**options)


async def test_a_sandbox_that_is_not_open_is_an_error(kind: Kind) -> None:
    sandbox = kind()
    with pytest.raises(SandboxError, match="async with"):
        await sandbox.execute("1")


SHADOWS = """
import sys
for name in {*sys.stdlib_module_names, *sys.modules, "IPython", "numpy", "stack_data"}:
    if name.isidentifier():
        with open(f"{name}.py", "w") as file:
            file.write(f"raise ImportError('this is {name}.py')")
"""
"""A cell that writes a file for each name that the kernel might import."""


async def check_with_files_named_like_modules(sandbox: Sandbox) -> None:
    assert (await sandbox.execute(SHADOWS)).error is None
    assert (await sandbox.execute("import os; os._exit(0)")).state_lost
    assert (await sandbox.execute("print('hi'); 6 * 7")).result == "42"
    failed = await sandbox.execute("1 / 0")
    assert failed.error is not None
    assert (failed.error.name, "1 / 0" in failed.error.traceback) == ("ZeroDivisionError", True)
    failed = await sandbox.execute("(")
    assert failed.error is not None
    assert failed.error.name == "SyntaxError"
    assert (
        await sandbox.execute("await __import__('asyncio').sleep(0, 'done')")
    ).result == "'done'"
    # A cell imports its own files first, as everywhere in Python.
    failed = await sandbox.execute("import wave")
    assert failed.error is not None
    assert failed.error.message == "this is wave.py"


async def test_files_named_like_modules_do_not_break_the_kernel(sandbox: Sandbox) -> None:
    await check_with_files_named_like_modules(sandbox)


@pytest.mark.parametrize("packages", [True, False], ids=["ipython", "plain"])
async def test_files_named_like_modules_do_not_break_a_local_kernel(
    packages: bool, tmp_path: Path
) -> None:
    venv.create(tmp_path, system_site_packages=False)
    python = sys.executable if packages else str(tmp_path / "bin" / "python")
    async with UnsafeLocalSandbox(python=python) as sandbox:
        assert ((await sandbox.execute("%pwd")).error is None) is packages
        await check_with_files_named_like_modules(sandbox)
