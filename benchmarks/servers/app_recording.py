"""An application that notes what it is asked: a line of JSON per request in the file that RECORD names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RECORD = os.environ.get("RECORD")
OK = [(b"content-type", b"text/plain"), (b"content-length", b"2")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer ``ok`` to everything."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":  # its body broke off: no request
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if RECORD is not None:
        with Path(RECORD).open("a", encoding="utf-8") as file:
            file.write(json.dumps([scope["path"], body.decode("latin-1")]) + "\n")
    await send({"type": "http.response.start", "status": 200, "headers": OK})
    await send({"type": "http.response.body", "body": b"ok"})
