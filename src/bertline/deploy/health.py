"""The health check of an image: whether the server in this container is ready. Exit code 0 or 1.

``python -m bertline.deploy.health`` reads the port and whether there is a certificate from the environment, and imports
nothing but the standard library, because it runs every few seconds beside the server.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys

TIMEOUT_S = 2.0


def ready() -> bool:
    """Whether ``/health/ready`` answers 200. The certificate is not verified: it is of another name than 127.0.0.1."""
    port = int(os.environ.get("BERTLINE_SERVE_PORT", "8000"))
    try:
        plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        with _context().wrap_socket(plain) if "BERTLINE_TLS_CERTIFICATE" in os.environ else plain as connection:
            connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


if __name__ == "__main__":
    sys.exit(0 if ready() else 1)
