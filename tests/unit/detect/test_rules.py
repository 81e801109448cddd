from __future__ import annotations

from datetime import timedelta

from autofix.detect.rules import describe_rules
from autofix.models import Signal
from autofix.parameters import Mute, Rules, ServiceOverride
from tests.conftest import NOW


def test_mutes_and_names_without_a_service_are_told() -> None:
    """A reader of the report sees what is kept from it, until when and why."""
    later = NOW + timedelta(days=2)
    rules = Rules(
        overrides=(ServiceOverride(service="wbe", min_requests=1),),
        mutes=(
            Mute(service="web", signal=Signal.http_4xx, until=later, reason="old clients"),
            Mute(service="api", until=later),
            Mute(service="api", signal=Signal.cpu, until=NOW),
        ),
    )
    assert describe_rules(rules, ["web", "api"], NOW) == (
        "web: http_4xx is muted until 2026-03-04 14:30 UTC (old clients)",
        "api: every signal is muted until 2026-03-04 14:30 UTC",
        "the rules name wbe, and there is no such service",
    )
    assert describe_rules(Rules(), ["web"], NOW) == ()
