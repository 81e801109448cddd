from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from autofix.models import Signal
from autofix.parameters import Mute, Rules, ServiceOverride, ServiceSelection, Thresholds
from tests.conftest import NOW


def test_an_override_can_change_every_threshold() -> None:
    """What is tuned for all can be tuned for one."""
    assert set(ServiceOverride.model_fields) - {"service"} == set(Thresholds.model_fields)


def test_an_override_changes_its_service_and_what_it_names() -> None:
    """What it leaves empty stays as it is for all, and other services keep theirs."""
    override = ServiceOverride.model_validate(
        {"service": "pdf-api", "latency_p95_ms": {"warning": 8000, "critical": 20000}}
    )
    rules = Rules(thresholds=Thresholds(min_requests=7), overrides=(override,))
    changed = rules.of("pdf-api")
    assert (changed.latency_p95_ms.warning, changed.min_requests) == (8000, 7)
    assert changed.cpu_percent == Thresholds().cpu_percent
    assert rules.of("web") == rules.thresholds


def test_two_overrides_of_one_service_are_refused() -> None:
    """Which of them holds would be a guess."""
    override = ServiceOverride(service="web", min_requests=1)
    with pytest.raises(ValidationError, match="web stands there twice"):
        Rules(overrides=(override, override))


@pytest.mark.parametrize(
    ("signal", "service", "after", "covered"),
    [
        (None, "web", -1, True),
        ("http_4xx", "web", -1, True),
        ("latency", "web", -1, False),
        (None, "api", -1, False),
        (None, "web", 0, False),
        (None, "web", 1, False),
    ],
)
def test_a_mute_covers_its_signal_until_its_end(
    signal: str | None, service: str, after: int, covered: bool
) -> None:
    """Another signal, another service, and the moment of its end are not covered."""
    mute = Mute.model_validate({"service": service, "signal": signal, "until": NOW})
    at = NOW + timedelta(seconds=after)
    found = Rules(mutes=(mute,)).mute_of("web", Signal.http_4xx, at)
    assert (found is not None) is covered


@pytest.mark.parametrize("until", ["2026-03-05", date(2026, 3, 5), "2026-03-05T01:00:00+01:00"])
def test_a_mute_ends_at_a_date_or_a_moment(until: Any) -> None:
    """A plain date is the beginning of that day, as YAML gives it and as JSON does."""
    mute = Mute(service="web", until=until)
    assert mute.until == datetime(2026, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize("until", ["soon", "2026-03-05T00:00:00", None])
def test_a_mute_without_a_clear_end_is_refused(until: Any) -> None:
    """Nothing is muted for ever, or until a moment that depends on the reader's clock."""
    with pytest.raises(ValidationError, match="until"):
        Mute(service="web", until=until)


def test_names_that_do_not_exist_are_told() -> None:
    """A typing error in a name does not pass in silence."""
    rules = Rules(
        overrides=(ServiceOverride(service="wbe"), ServiceOverride(service="web")),
        mutes=(Mute(service="apii", until=NOW),),
    )
    assert rules.unknown_names(["web", "api"]) == ("wbe", "apii")


def test_services_are_selected_by_name() -> None:
    """Excluding wins over including; an empty list includes all."""
    assert ServiceSelection().selects("web")
    chosen = ServiceSelection(include=["web", "api"], exclude=["api"])
    assert [name for name in ("web", "api", "docs") if chosen.selects(name)] == ["web"]
