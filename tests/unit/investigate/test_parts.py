from __future__ import annotations

from datetime import timedelta
from typing import Any

from autofix.investigate.deploys import render_history, serving
from autofix.investigate.routes import build_routes, mask_path
from autofix.investigate.series import render_series
from autofix.models import Deployment, Window
from autofix.observe.frames import build_frame
from autofix.observe.wire import HttpLogLine
from autofix.sparkline import sparkline


def http(path: str, status: int, ms: int) -> dict[str, Any]:
    at = "2026-03-02T14:02:00Z"
    return {
        "timestamp": at,
        "method": "GET",
        "path": path,
        "httpStatus": status,
        "totalDuration": ms,
    }


def test_failing_and_slow_routes_come_first() -> None:
    """A few failures outrank many slow requests, and those many fast ones."""
    rows = [("/health", 200, 2)] * 50 + [("/search", 200, 1500)] * 9 + [("/invoices/7", 500, 20)]
    lines = [HttpLogLine.model_validate(http(*row)) for row in rows]
    assert [(r.path, r.count) for r in build_routes(lines)] == [
        ("/invoices/{id}", 1),
        ("/search", 9),
        ("/health", 50),
    ]


def test_ids_in_paths_are_masked() -> None:
    """One route is one line, and a query string never shows."""
    assert mask_path("/users/42/orders/0f8fad5b-d9cb-469f-a165-70867728950e?t=secret") == (
        "/users/{id}/orders/{id}"
    )
    assert mask_path("/v1/health") == "/v1/health"


def test_a_sparkline_shows_gaps() -> None:
    """What was not measured is a dot and no low value; a steady line is flat."""
    assert sparkline([0, None, 5, 10], 10) == "▁·▅█"
    assert sparkline([3, 3], 3) == "██"
    assert sparkline([2, 30], 10) == "▂█"
    assert sparkline([0, 0], 0) == "▁▁"


def test_a_status_class_that_was_not_named_is_zero(window: Window) -> None:
    """Beside requests that succeeded, no errors are no gap; without requests they are."""
    at = window.start.timestamp()
    quiet = [(at + 60 * i, "s", "HTTP_2XX", 9.0) for i in range(20)]
    text = render_series(build_frame([*quiet, (at, "s", "HTTP_5XX", 3.0)]), "s", window)
    errors = next(line for line in text.split("\n") if line.startswith("5xx"))
    assert errors.split()[1] == "█" + "▁" * 15 + "·" * 8
    assert "3 → 0 a step, average 0.15" in errors


def test_history_says_what_changed(window: Window) -> None:
    """The deployment that was live at the onset, and the commit it replaced."""

    def deploy(name: str, minutes: int, status: str = "REMOVED") -> Deployment:
        at = window.start + timedelta(minutes=minutes)
        return Deployment(
            id=name,
            service_id="s",
            status=status,
            created_at=at,
            commit=name * 20,
            commit_message=name,
        )

    history = [deploy("aa", -90), deploy("bb", -30, "SUCCESS"), deploy("cc", -5, "FAILED")]
    text = render_history(history, window.start + timedelta(minutes=5))
    assert text.startswith(
        "Live at the onset: bbbbbbbbbbbb, deployed 35 min before the onset; "
        "it replaced aaaaaaaaaaaa."
    )
    assert [d.id for d in serving([*history, deploy("dd", 10)], window)] == ["dd", "bb"]
