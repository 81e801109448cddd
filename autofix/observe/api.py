"""What every read shares: the GraphQL client, whose environment it is, and what the schema lacks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from autofix.observe.graphql import GraphqlClient, load_query
from autofix.observe.limits import ApiLimits
from autofix.observe.wire import WireFields, parse

HTTP_FIELDS = frozenset({"httpMetricsGroupedByStatus", "httpDurationMetrics"})
ACTIVE = "activeDeployments"


class Api:
    """One environment of one project behind one token; safe to share between threads."""

    def __init__(
        self, graphql: GraphqlClient, limits: ApiLimits, project: str, environment: str
    ) -> None:
        """Take over the client, which `close` closes."""
        self.graphql = graphql
        self.limits = limits
        self.project = project
        self.environment = environment
        self.pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="railway")
        self._lock = threading.Lock()
        self._missing: frozenset[str] | None = None

    def close(self) -> None:
        """Give back the threads and the connections."""
        self.pool.shutdown(cancel_futures=True)
        self.graphql.close()

    def ask(self, name: str, **variables: Any) -> dict[str, Any]:
        """The answer to one query file."""
        return self.graphql.execute(load_query(name), variables)

    def execute(
        self, query: str, variables: Mapping[str, Any], *, splittable: bool = False
    ) -> dict[str, Any]:
        """The answer to a query text, as `GraphqlClient.execute` gives it."""
        return self.graphql.execute(query, variables, splittable=splittable)

    @property
    def is_probed(self) -> bool:
        """Whether it was found out what the schema lacks."""
        return self._missing is not None

    def lacks(self, fields: frozenset[str]) -> bool:
        """Whether the schema is known to lack one of these; an unknown schema lacks nothing."""
        return bool(fields & (self._missing or frozenset()))

    def probe(self) -> None:
        """Find out once which of the newer fields the schema lacks."""
        with self._lock:
            if self._missing is not None:
                return
            data = self.ask("schema")
            queries = parse(WireFields, data.get("query") or {}).names
            instance = parse(WireFields, data.get("instance") or {}).names
            self._missing = (HTTP_FIELDS - queries) | (frozenset({ACTIVE}) - instance)
