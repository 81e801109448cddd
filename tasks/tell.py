"""News as events of Prefect's, from which automations send messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client

from autofix.news import News
from tasks.guard import door, guarded
from tasks.options import OWN

PREFIX = "autofix.incident"
"""Names of events are this and the kind: ``autofix.incident.opened``."""


@task(name="tell news", task_run_name="tell news", cache_policy=NO_CACHE, **OWN)
@guarded
def tell_news(news: Iterable[News], now: datetime) -> None:
    """One event for each; the same news has the same id, also when it is told again."""
    events = [
        {
            "id": str(one.id),
            "event": f"{PREFIX}.{one.kind.value}",
            "occurred": now.isoformat(),
            "resource": {
                "prefect.resource.id": f"{PREFIX}.{one.incident}",
                "prefect.resource.name": one.service,
            },
            "payload": {"text": door(one.text), "service": one.service, "kind": one.kind.value},
        }
        for one in news
    ]
    if events:
        with get_client(sync_client=True) as client:
            client.request("POST", "/events", json=events).raise_for_status()
