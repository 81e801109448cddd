from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from autofix.errors import RailwayError
from autofix.models import Window
from autofix.observe.limits import USAGE, ApiLimits, Sampling
from autofix.observe.resources import Resources, fetch_resources
from tests.conftest import NOW

WINDOW = Window.ending(NOW, timedelta(minutes=30))


def series(service: Any) -> dict[str, Any]:
    return {
        "measurement": "CPU_USAGE",
        "tags": {"serviceId": service},
        "values": [{"ts": WINDOW.start.timestamp(), "value": 0.5}],
    }


def fetch(answer: list[Any], *services: str) -> tuple[Resources, dict[str, Any]]:
    """What is made of this answer, and the variables it was asked with."""
    asked: dict[str, Any] = {}

    def execute(_query: str, variables: dict[str, Any], **_: Any) -> dict[str, Any]:
        asked.update(variables)
        return {"usage": answer}

    api: Any = SimpleNamespace(project="p", environment="e", limits=ApiLimits(), execute=execute)
    sampling = Sampling(step=timedelta(seconds=30), measurements=USAGE)
    return fetch_resources(api, WINDOW, sampling, services), asked


def test_one_service_is_asked_for_alone_and_several_with_all() -> None:
    """Railway answers for one service or for the whole environment."""
    assert fetch([], "a")[1]["serviceId"] == "a"
    assert fetch([], "a", "b")[1]["serviceId"] is None


def test_series_of_other_services_are_left_out() -> None:
    """They are not even read: a large project has thousands."""
    found, _ = fetch([series("a"), series("c"), series("b")], "a", "b")
    assert [one.tags.service_id for one in found.series] == ["a", "b"]


def test_an_answer_of_another_shape_is_named() -> None:
    """It is no mistake of ours."""
    with pytest.raises(RailwayError, match="another shape"):
        fetch([series(["a"])], "a")
