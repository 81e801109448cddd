"""The end-to-end tests share the flow tests' server."""

from __future__ import annotations

from tests.flows.conftest import prefect_server

__all__ = ["prefect_server"]
