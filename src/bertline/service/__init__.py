"""Models over HTTP: the app, its own API, and a web page.

``app.create_app`` builds the app around predictors, ``run.serve`` listens until it is told to stop. Importing
this package needs no web server, so that settings can be read without one.
"""

from bertline.service.settings import ServeSettings

__all__ = ["ServeSettings"]
