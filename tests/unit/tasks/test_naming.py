from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autofix.models import Severity, Signal
from tasks.naming import LONGEST, name_contexts, name_fix


def test_a_run_is_listed_under_its_services_and_what_is_wrong_with_them(
    make_context: Callable[..., Any], make_finding: Callable[..., Any]
) -> None:
    """A signal once, whatever its severity; the repository where there is one."""
    incident = make_context("billing-api").incident
    findings = (
        make_finding("billing-api"),
        make_finding("billing-api", severity=Severity.warning),
        make_finding("billing-api", signal=Signal.latency),
    )
    incident = incident.model_copy(update={"findings": findings})
    other = make_context("orders-web").incident
    assert name_fix("acme/shop", [incident, other]) == (
        "fix acme/shop: billing-api (http_5xx, latency), orders-web (http_5xx)"
    )
    assert name_contexts([other]) == "context of orders-web (http_5xx)"
    assert len(name_contexts([other] * 30)) == LONGEST
