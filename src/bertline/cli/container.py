"""The ``bertline`` command as the first process of a container: ``python -m bertline.cli.container``.

Linux drops signals to process 1 that have no handler, so SIGTERM would have no effect until the server has started,
and the container would be killed at the end of its grace period. The handler is set before anything slow is imported.
"""

from __future__ import annotations

import signal
import sys

TERMINATED = 128 + signal.SIGTERM  # the exit code of shells for it


def main() -> None:
    """Set the handler, then run the command."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    from bertline.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
