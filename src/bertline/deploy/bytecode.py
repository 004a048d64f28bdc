"""Compiles what a server imports when an image is built: on a read-only disk, it would be compiled at every start.

``python -m bertline.deploy.bytecode`` writes below ``PYTHONPYCACHEPREFIX``. Bytecode is valid by the hash of its
source, not by a time, so two builds have the same bytes (PEP 552). The standard library is checked against that hash
when it is imported, because another base may bring another release of it.
"""

from __future__ import annotations

import importlib
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
    sources = {str(getattr(one, "__file__", None)) for one in list(sys.modules.values())}
    for source in sorted(
        path for path in sources if path.endswith(".py") and Path(path).is_absolute()
    ):  # torch has others
        mode = UNCHECKED if Path(source).is_relative_to(_OURS) else CHECKED
        py_compile.compile(source, doraise=True, invalidation_mode=mode)


if __name__ == "__main__":
    main()
