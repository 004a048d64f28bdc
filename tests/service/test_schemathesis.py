"""Schemathesis reads the description of the API and asks the real server what it allows, and what it does not.

For each operation it sends the cases that the description names (the edges of every field, wrong types, missing and
unknown fields, other content types and methods) and some at random; both are the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.openapi.checks import *  # noqa: F403
