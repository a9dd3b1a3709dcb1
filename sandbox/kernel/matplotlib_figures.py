"""A matplotlib backend that saves figures as numbered PNG files."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_BACKEND = "ossia_figures"


class _Backend(MetaPathFinder, Loader):
    """An importer of the backend module, so that matplotlib is loaded only if a cell uses it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == _BACKEND else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        backend_agg: Any = import_module("matplotlib.backends.backend_agg")

        def show(*_: object, **__: object) -> None:
            save_figures(self._folder)

        vars(module).update(FigureCanvas=backend_agg.FigureCanvasAgg, show=show)


def install_backend(folder: str) -> None:
    """Make `plt.show()` save the open figures in `folder`."""
    sys.meta_path.append(_Backend(folder))
    os.environ["MPLBACKEND"] = f"module://{_BACKEND}"


def save_figures(folder: str) -> None:
    """Save every open figure as the next free `figure-N.png`, and close it."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        figure.savefig(_next_path(folder), bbox_inches="tight")
        pyplot.close(figure)


def _next_path(folder: str) -> str:
    number = 1
    while os.path.lexists(path := os.path.join(folder, f"figure-{number}.png")):
        number += 1
    return path
