"""An app of a test's own behind single parts of the service, which stand before the real one together."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp

from bertline.service.admission import Admission, Doors
from bertline.service.front import Front, Watching


def fronted(app: ASGIApp, **watching: Any) -> Front:
    """The app behind the parts of ``Watching``."""
    return Front(app, Watching(**watching))


def admitting(app: ASGIApp, **doors: Any) -> Front:
    """The app behind the parts of ``Doors``."""
    return fronted(Admission(app, Doors(**doors)))
