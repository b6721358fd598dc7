"""The fixture of tests that call the HTTP server; a pytest plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from ragkit import Index
from support.http_api import client


@pytest.fixture(scope="module")
def web(german_soviet: Index) -> Iterator[TestClient]:
    """A client of a server with default settings and the seed article."""
    with client(german_soviet) as web:
        yield web
