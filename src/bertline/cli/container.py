"""The ``bertline`` command as the first process of a container: ``python -m bertline.cli.container``.

Linux drops signals to process 1 that have no handler, so SIGTERM would have no effect until the server has started,
and the container would be killed at the end of its grace period. The handler is set before anything slow is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

MODELS = Path("/models")  # where the image has its model
ADDRESS = "BERTLINE_MODEL"  # names it where there is none
TERMINATED = 128 + signal.SIGTERM  # the exit code of shells for it


def main() -> None:
    """Set the handler, then run the command.

    ``serve`` alone, which SageMaker passes, serves the model inside, or the one that the environment names.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if sys.argv[1:] == ["serve"]:
        sys.argv += _models()
    from bertline.cli.main import main as run

    run()


def _models() -> list[str]:
    models = [os.environ[ADDRESS]] if os.environ.get(ADDRESS) else sorted(map(str, MODELS.glob("*")))
    if not models:
        sys.stderr.write(
            f"error: there is no model in {MODELS}: set {ADDRESS} to an address, such as "
            f"s3://models/reviews@sha256:…, or mount a bundle below {MODELS}\n"
        )
        sys.exit(2)
    return models


if __name__ == "__main__":
    main()
