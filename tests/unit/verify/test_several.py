"""More than one of something: services, repositories, environments, merges in a deployment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from inline_snapshot import snapshot

from autofix.models import Outcome, Service, Signal
from tests.unit.verify.line import Line, states, trouble

START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
ERRORS, SLOW = Signal.http_5xx, Signal.latency
MakeService = Callable[..., Service]


@pytest.fixture
def mono(make_service: MakeService) -> Line:
    """Two services of one repository, each in its folder."""
    api, web = (
        make_service(name, repository="acme/shop", root_directory=f"services/{name}")
        for name in ("orders-api", "orders-web")
    )
    return Line(api, web, start=START)


def _opened(line: Line) -> list[str]:
    return [entry for entry in line.log if "pull request" in entry]


def test_two_services_of_one_repository_share_one_plan_session_and_pull_request(
    mono: Line,
) -> None:
    """Both incidents wait for it, and nothing more is started for either."""
    for _ in range(12):
        mono.tick(trouble(mono, ERRORS))
    assert mono.log == snapshot(
        [
            "00:00 plan for b32645cfb2-e1-a1 and c4d36c3e1c-e1-a1",
            "00:00 session for 4602187042d6",
            "00:00 pull request #1 for orders-api, orders-web",
        ]
    )
    assert states(mono) == {"orders-api": "proposed", "orders-web": "proposed"}


def test_a_persons_no_to_a_shared_pull_request_is_a_no_for_both_services(mono: Line) -> None:
    """Also for the one that was quiet when it was said."""
    mono.tick(trouble(mono, ERRORS))
    mono.close(1)
    for _ in range(4):
        mono.tick(trouble(mono, ERRORS, of=["orders-web"]))
    for _ in range(4):
        mono.tick(trouble(mono, ERRORS))
    assert len(_opened(mono)) == 1
    assert states(mono) == {"orders-api": "declined", "orders-web": "declined"}


def test_a_service_that_falls_ill_later_has_a_pull_request_of_its_own(mono: Line) -> None:
    """At most one open for each service: the first one's is left as it is."""
    for _ in range(3):
        mono.tick(trouble(mono, ERRORS, of=["orders-api"]))
    for _ in range(3):
        mono.tick(trouble(mono, ERRORS))
    assert _opened(mono) == [
        "00:00 pull request #1 for orders-api",
        "00:30 pull request #2 for orders-web",
    ]


def test_when_one_of_two_recovers_the_other_alone_has_a_new_attempt(mono: Line) -> None:
    """The merge is judged once, over both; what follows is for the one still in trouble."""
    mono.tick(trouble(mono, ERRORS))
    mono.merge(1, "a" * 40, Outcome.unchanged)
    for _ in range(8):
        mono.tick(trouble(mono, ERRORS, of=["orders-web"]))
    assert mono.log[3:] == snapshot(
        [
            "00:10 a person merges #1",
            "00:40 comment on #1: Unchanged: the trouble goes on",
            "00:50 plan for c4d36c3e1c-e1-a2",
            "00:50 session for 0617d3982667",
            "00:50 pull request #2 for orders-web",
        ]
    )
    assert states(mono) == {"orders-api": "ended", "orders-web": "proposed"}


def test_two_repositories_have_a_pull_request_each_and_lives_of_their_own(
    make_service: MakeService,
) -> None:
    """One is merged and recovers, the other is closed: neither touches the other's."""
    line = Line(make_service("api", repository="acme/api"),
                make_service("web", repository="acme/web"), start=START)  # fmt: skip
    line.tick(trouble(line, ERRORS))
    line.merge(1, "a" * 40, Outcome.recovered, repository="acme/web", deploys=["web"])
    line.close(1)
    for _ in range(8):
        line.tick(trouble(line, ERRORS, of=["api"]))
    assert [entry for entry in line.log if "plan" not in entry and "session" not in entry] == [
        "00:00 pull request acme/api#1 for api",
        "00:00 pull request acme/web#1 for web",
        "00:10 a person merges acme/web#1",
        "00:10 a person closes acme/api#1",
        "00:40 comment on acme/web#1: Recovered: the fix helped",
    ]
    assert states(line) == {"api": "declined", "web": "ended"}


def test_more_repositories_than_a_tick_may_open_wait_for_the_next_one(
    make_service: MakeService,
) -> None:
    """Two pull requests a tick; the third is not lost."""
    names = ("api", "web", "jobs")
    line = Line(*(make_service(n, repository=f"acme/{n}") for n in names), start=START)
    for _ in range(3):
        line.tick(trouble(line, ERRORS))
    assert _opened(line) == [
        "00:00 pull request acme/api#1 for api",
        "00:00 pull request acme/web#1 for web",
        "00:10 pull request acme/jobs#1 for jobs",
    ]


@pytest.fixture
def both(make_service: MakeService) -> tuple[Line, Line]:
    """One service in two environments of a project; staging's is deployed by hand."""
    service = make_service("billing-api", repository="acme/x")
    production = Line(service, start=START, environment="env-production")
    return production, Line(service, start=START, environment="env-staging", beside=production)


def _tick(both: tuple[Line, Line], *, staging: bool = True, production: bool = True) -> None:
    first, second = both
    first.tick(trouble(first, ERRORS) if production else [])
    second.tick(trouble(second, ERRORS) if staging else [])


def test_the_same_service_in_two_environments_has_one_pull_request(
    both: tuple[Line, Line],
) -> None:
    """Made for the first, waited for by the second, commented on once."""
    for _ in range(6):
        _tick(both)
    assert _opened(both[0]) == ["00:00 pull request #1"]
    assert [states(line) for line in both] == [{"billing-api": "proposed"}] * 2


def test_a_merge_is_waited_for_in_the_other_environment_too(both: tuple[Line, Line]) -> None:
    """Production recovers; staging still runs what is older, and nothing is started for it."""
    _tick(both)
    both[0].merge(1, "a" * 40, Outcome.recovered)
    for _ in range(12):
        _tick(both, production=False)
    assert both[0].log[3:] == [
        "00:10 a person merges #1",
        "00:40 comment on #1: Recovered: the fix helped",
    ]
    assert [states(line) for line in both] == [{"billing-api": "ended"}, {"billing-api": "merged"}]
    both[1].deploy("a" * 40)
    for _ in range(4):
        _tick(both, production=False, staging=False)
    assert states(both[1]) == {"billing-api": "ended"}
    assert len(_opened(both[0])) == 1


def test_a_merge_that_does_not_help_elsewhere_is_followed_by_an_attempt_there(
    both: tuple[Line, Line],
) -> None:
    """After a full window with it; the new one names the old one."""
    _tick(both)
    both[0].merge(1, "a" * 40, Outcome.recovered)
    for _ in range(3):
        _tick(both, production=False)
    both[1].deploy("a" * 40)
    for _ in range(6):
        _tick(both, production=False)
    assert _opened(both[0]) == ["00:00 pull request #1", "01:10 pull request #2"]
    body = both[0].app.pulls[2]["body"]
    assert "https://forge.test/acme/x/pull/1 was merged, and the trouble is still there" in body


def test_trouble_is_over_when_it_is_in_both_environments(both: tuple[Line, Line]) -> None:
    """Quiet in production for a week, and not in staging: nothing is said, nothing is closed."""
    for _ in range(2):
        _tick(both)
    for _ in range(6):
        _tick(both, production=False)
    for line in both:
        line.now += timedelta(days=8)
    for _ in range(3):
        _tick(both, production=False)
    assert both[0].app.pulls[1]["state"] == "open"
    assert both[0].app.comments == {}
    for _ in range(5):
        _tick(both, production=False, staging=False)
    assert [entry for entry in both[0].log if "comment" in entry] == snapshot(
        [
            "194:20 comment on #1: The trouble is over since 2026-03-10 02:10 UTC, without this change. Without news it is closed after 7 days."
        ]
    )


def test_a_persons_no_holds_in_both_environments(both: tuple[Line, Line]) -> None:
    """It was said to the change and not to the place."""
    _tick(both)
    both[0].close(1)
    for _ in range(6):
        _tick(both)
    assert len(_opened(both[0])) == 1
    assert [states(line) for line in both] == [{"billing-api": "declined"}] * 2


def test_signals_that_join_in_one_of_two_services_start_nothing(mono: Line) -> None:
    """They belong to the incident that has its pull request."""
    mono.tick(trouble(mono, ERRORS))
    for _ in range(4):
        mono.tick([*trouble(mono, ERRORS), *trouble(mono, SLOW, of=["orders-web"])])
    assert len(_opened(mono)) == 1
