from datetime import UTC, datetime, timedelta

from autofix.models import IncidentRecord, IncidentState, Outcome, Signal
from autofix.verify.history import build_history, render_history

OPENED = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
PULL = "https://forge.test/acme/billing-api/pull/7"


def record(**changes) -> IncidentRecord:
    values = {
        "fingerprint": "0123456789",
        "episode": 1,
        "attempt": 2,
        "environment_id": "e",
        "service_id": "svc-billing",
        "service": "billing-api",
        "first_signal": Signal.http_5xx,
        "deployed_commit": None,
        "onset": OPENED - timedelta(minutes=5),
        "opened_at": OPENED,
        "last_seen": OPENED + timedelta(minutes=85),
        "signals": (Signal.http_5xx, Signal.latency),
    }
    return IncidentRecord.model_validate(values | changes)


def test_every_incident_is_a_row_with_its_dates_verdict_pull_request_outcome_and_cost():
    """The newest first; what goes on says so, and what is not known is a dash."""
    ended = record(
        fingerprint="ended",
        opened_at=OPENED + timedelta(days=1),
        ended_at=OPENED + timedelta(minutes=55),
        verdict="code_fix",
        pull_request=PULL,
        outcome=Outcome.recovered,
        cost=1.234,
    )
    newest, oldest = build_history([record(), ended], {})
    assert newest["Work"] == "ended-e1-a2"
    assert (newest["Lasted"], newest["Verdict"]) == ("60 min", "code_fix")
    assert newest["Pull request"] == f"[#7]({PULL})"
    assert (newest["Outcome"], newest["Cost"]) == ("recovered", "$1.23")
    assert oldest["Since"] == "2026-03-02 14:05"
    assert oldest["Signals"] == "http_5xx, latency"
    assert oldest["Lasted"].endswith(", goes on")
    assert [oldest[c] for c in ("Verdict", "Pull request", "Outcome", "Cost")] == ["–"] * 4


def test_an_outcome_is_shown_before_the_monitor_has_read_it():
    """Of this pull request alone; what the record knows already is not overwritten."""
    waiting, known = record(pull_request=PULL), record(pull_request=PULL, outcome=Outcome.unchanged)
    assert build_history([waiting], {PULL: Outcome.worse})[0]["Outcome"] == "worse"
    assert build_history([waiting], {f"{PULL}1": Outcome.worse})[0]["Outcome"] == "–"
    assert build_history([known], {PULL: Outcome.worse})[0]["Outcome"] == "unchanged"


def test_nothing_in_a_record_breaks_the_table():
    """A service's name and a reason from outside stay within their cells."""
    hostile = record(service="a | b\n## c", state=IncidentState.declined, why="no | [x](http://y)")
    lines = render_history(build_history([hostile], {})).splitlines()
    assert len(lines) == 3
    bars = [line.replace("\\|", "").count("|") for line in lines]
    assert bars == [bars[0]] * 3


def test_no_incident_is_a_sentence():
    """An empty table would look like a fault."""
    assert render_history(build_history([], {})) == "No incident is remembered."
