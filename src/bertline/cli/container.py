"""The ``bertline`` command as the first process of a container: ``python -m bertline.cli.container``.

Linux drops signals to process 1 that have no handler, so SIGTERM would have no effect until the server has started,
and the container would be killed at the end of its grace period. The handler is set before anything slow is imported.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

MODELS = Path("/models")  # where the image has its model
TERMINATED = 128 + signal.SIGTERM  # the exit code of shells for it


def main() -> None:
    """Set the handler, then run the command; ``serve`` alone, which SageMaker passes, serves the model inside."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if sys.argv[1:] == ["serve"]:
        sys.argv += sorted(map(str, MODELS.glob("*")))
    from bertline.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
