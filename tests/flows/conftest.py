"""The only place that starts Prefect's test server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server with a database of its own, in a temporary folder."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
