"""A server to measure: ``python -m bertline.deploy.capacity.served BUNDLE ENGINE`` prints its port when it is ready.

It has the default limits and none of the user's settings, so that nothing but the model decides what is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from bertline.service.run import serve
from bertline.service.settings import ServeSettings


def main(bundle: str, engine: str) -> None:
    """Serve until a signal comes."""
    settings = ServeSettings(port=0, engine=engine, drain_s=0.0)

    def ready(url: str, _: object) -> None:
        sys.stdout.write(f"{urlsplit(url).port}\n")
        sys.stdout.flush()

    serve({"measured": Path(bundle)}, settings, on_ready=ready, on_exposed=lambda _: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
