"""Compiles what a server imports when an image is built: on a read-only disk, it would be compiled at every start.

In images for clusters of Ray, that includes the programs of each node. Ray gives them 15 seconds to start.

``python -m bertline.deploy.bytecode`` writes below ``PYTHONPYCACHEPREFIX``. Bytecode is valid by the hash of its
source, not by a time, so two builds have the same bytes (PEP 552). The standard library is checked against that hash
when it is imported, because another base may bring another release of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import py_compile
import sys
from contextlib import suppress
from pathlib import Path

import bertline
from bertline.errors import BertlineError

UNCHECKED, CHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH, py_compile.PycInvalidationMode.CHECKED_HASH
_OURS = Path(bertline.__file__).parents[1]  # where the packages of the image are installed


def main() -> None:
    """Import every module of bertline that this installation can, and compile all that came along."""
    for one in pkgutil.walk_packages(bertline.__path__, "bertline."):
        if not one.name.endswith("__main__"):
            with suppress(ImportError, BertlineError):  # torch, pyarrow …: of other installations
                importlib.import_module(one.name)
    _import_programs_of_ray()
    sources = {str(getattr(one, "__file__", None)) for one in list(sys.modules.values())}
    for source in sorted(
        path for path in sources if path.endswith(".py") and Path(path).is_absolute()
    ):  # torch has others
        mode = UNCHECKED if Path(source).is_relative_to(_OURS) else CHECKED
        py_compile.compile(source, doraise=True, invalidation_mode=mode)


def _import_programs_of_ray() -> None:
    """Import what every node of a cluster runs, if Ray is in the image."""
    if importlib.util.find_spec("ray") is None:
        return
    for name in ("ray.scripts.scripts", "ray.dashboard.dashboard", "ray.dashboard.agent", "ray.util.client.server"):
        importlib.import_module(name)
    for one in pkgutil.walk_packages(sys.modules["ray.dashboard"].__path__, "ray.dashboard."):
        with suppress(Exception):  # modules for services that are not installed
            importlib.import_module(one.name)


if __name__ == "__main__":
    main()
