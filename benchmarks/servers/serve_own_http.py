"""The recording application behind our connections: ``python -m benchmarks.servers.serve_own_http PORT``."""

from __future__ import annotations

import sys

import uvicorn

from benchmarks.servers.app_recording import app
from bertline.service.edge.http1.connection import Http1Connection


def main() -> None:
    """Serve until told to stop."""
    uvicorn.run(app, port=int(sys.argv[1]), http=Http1Connection, ws="none", log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
