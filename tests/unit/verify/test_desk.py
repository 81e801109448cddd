from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from inline_snapshot import snapshot

from autofix.change.github_life import LifeClient
from autofix.change.memo import IncidentMemo, SignalMemo
from autofix.models import Deployment, Outcome, PullRequest, Signal, Window
from autofix.verify.carrier import Carrier
from autofix.verify.comment import render_comment
from autofix.verify.compare import compare
from autofix.verify.desk import post_outcome
from autofix.verify.look import Look
from autofix.verify.outcome import Sight
from autofix.verify.readings import count_parts
from autofix.verify.verification import PATIENCE, Picture, Settled, Waiting, judge_patience, settle
from tests.unit.verify.forge import REPOSITORY, ForgeApp, open_forge
from tests.unit.verify.simulate import LIVE, SPANS, finding, frame, http


@pytest.fixture
def app() -> ForgeApp:
    app = ForgeApp()
    app.add_pull(state="closed", merged_at="2026-03-02T11:40:00Z", merge_commit_sha="a" * 40)
    return app


@pytest.fixture
def forge(app: ForgeApp) -> Iterator[LifeClient]:
    with open_forge(app) as client:
        yield client


@pytest.fixture
def pull(forge: LifeClient) -> PullRequest:
    found = forge.fetch_pull(REPOSITORY, 1)
    return found.model_copy(update={"created_at": LIVE - timedelta(minutes=40)})


def _memo() -> IncidentMemo:
    onset = LIVE - timedelta(hours=1)
    signal = SignalMemo(
        signal=Signal.http_5xx,
        severity=finding(Signal.http_5xx).severity,
        onset=onset,
        value=10.0,
        threshold=5.0,
        unit="%",
    )
    return IncidentMemo(
        fingerprint="0123456789",
        episode=1,
        attempt=1,
        environment_id="env-1",
        service_id="svc",
        service="billing-api",
        deployed_commit="0" * 40,
        onset=onset,
        found_at=onset + timedelta(minutes=10),
        window_seconds=1800,
        signals=(signal,),
    )


def _settled(pull: PullRequest, errors_after: float) -> Settled:
    rng = np.random.default_rng(3)
    during, after = http(rng, SPANS.during, errors=0.1), http(rng, SPANS.after, errors=errors_after)
    samples = frame(during, after)
    found = (finding(Signal.http_5xx),)
    sight = Sight(
        service="billing-api",
        comparisons=compare(samples, found, SPANS, 100),
        found_during=found,
        found_after=found if errors_after > 0.01 else (),
        requests_during=1200,
        requests_after=1180,
    )
    made = LIVE - timedelta(minutes=1)
    fixed = Deployment(
        id="dep-2", service_id="svc", status="SUCCESS", created_at=made, commit="a" * 40
    )
    carrier = Carrier(
        deployment=fixed,
        live_at=LIVE,
        previous=fixed.model_copy(update={"id": "dep-1", "commit": "0" * 40}),
        others=(),
    )
    look = Look(sight, samples, SPANS)
    return settle(pull, [(_memo(), carrier, look)], 100, SPANS.after.end)


def test_the_comment_is_written_once_and_the_label_last(
    forge: LifeClient, app: ForgeApp, pull: PullRequest
) -> None:
    """Also when it was cut between the comment and the label."""
    settled = _settled(pull, 0.0)
    post_outcome(forge, settled, str)
    assert [w for w in app.writes if "comments" in w] == ["POST /issues/1/comments"]
    assert {"name": "autofix:recovered"} in app.pulls[1]["labels"]
    app.pulls[1]["labels"].pop()
    post_outcome(forge, settled, str)
    post_outcome(forge, settled, str)
    assert len(app.comments[1]) == 1
    assert app.pulls[1]["labels"].count({"name": "autofix:recovered"}) == 1


def test_a_recovery_reads_like_a_colleagues_note(pull: PullRequest) -> None:
    """The whole comment, as people see it."""
    assert render_comment(_settled(pull, 0.0)) == snapshot("""\
<!-- railway-autofix outcome -->

## Recovered: the fix helped

- billing-api: 5xx 10.5 % (7.3…14.9) before the fix, 0 % (0…0.4) after it

The merge is live since 2026-03-02 12:00:00 UTC: deployment `dep-2` of commit `aaaaaaaaaaaa`.

| service | signal | before the fix | after the fix |  |
| --- | --- | --- | --- | --- |
| billing-api | 5xx, % | 10.5 (7.3…14.9), 1,206 requests | 0 (0…0.4), 1,226 requests | better |

In brackets: where the true value lies, in all likelihood (97.5 %).

```text
                 before the fix           │ after it
billing-api 5xx  ▄▂▂▄▃█▄▂▄▂▄▃▃▂▄▃▅▃▃▄▄▃▄▄ │ ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  top 30 %
```

| onset → found | found → pull request | pull request → merged | merged → live | live → outcome |
| --- | --- | --- | --- | --- |
| 10 min | 10 min | 20 min | 20 min | 35 min |

The incident is closed. If the trouble comes back, it is a new episode.
""")


def test_worse_proposes_the_exact_rollback(pull: PullRequest) -> None:
    """The deployment that served before."""
    text = render_comment(_settled(pull, 0.6))
    assert "## Worse since the fix" in text
    assert "roll back to deployment `dep-1` of commit `000000000000`" in text


def test_unchanged_says_that_a_new_attempt_follows(pull: PullRequest) -> None:
    """And nothing about a rollback."""
    text = render_comment(_settled(pull, 0.1))
    assert "## Unchanged" in text
    assert "A new attempt follows" in text
    assert "roll back" not in text


def test_a_merge_without_its_deployment_waits_a_day(pull: PullRequest) -> None:
    """Then it is inconclusive, and says why."""
    assert pull.merged_at is not None
    early = judge_patience(pull, ["billing-api"], pull.merged_at + PATIENCE - timedelta(minutes=1))
    assert isinstance(early, Waiting)
    late = judge_patience(pull, ["billing-api"], pull.merged_at + PATIENCE)
    assert isinstance(late, Settled)
    assert late.outcome is Outcome.inconclusive
    assert "24 hours after the merge no deployment of billing-api carries it" in late.reasons


def test_a_picture_has_no_more_parts_than_the_window_has_samples() -> None:
    """Twelve samples in 24 parts would be every other one a gap."""
    minute = Window(start=LIVE, end=LIVE + timedelta(minutes=6))
    few = frame(http(np.random.default_rng(3), minute))
    assert count_parts(few, "svc", minute, 24) == 12
    assert (
        count_parts(frame(http(np.random.default_rng(3), SPANS.after)), "svc", SPANS.after, 24)
        == 24
    )
    narrow = Picture(service="a", name="5xx", unit="%", during=(1.0, None), after=(0.0, 0.5))
    text = render_comment(
        Settled(
            pull_request=_PULL, outcome=Outcome.recovered, reasons=(), times=(), pictures=(narrow,)
        )
    )
    heading, bars = text.partition("```text\n")[2].splitlines()[:2]
    assert heading.index("│") == bars.index("│")


_PULL = PullRequest(repository="acme/x", number=1, url="u", branch="b", base="main", state="closed")
