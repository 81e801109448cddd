"""Each rule on facts made by hand, and what must not make it speak. From telemetry: test_situations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autofix.investigate.facts import (
    ChangeFacts,
    CodeFacts,
    Facts,
    HttpFacts,
    Kept,
    LogFacts,
    Peer,
    ResourceFacts,
    RunFacts,
    Shape,
    Upstream,
)
from autofix.investigate.traces import Frame
from autofix.investigate.verdict import judge
from autofix.models import (
    Deployment,
    EvidenceItem,
    Incident,
    Pattern,
    ServiceKind,
    Severity,
    Signal,
    Verdict,
    VerdictKind,
    Window,
)

K = VerdictKind


@pytest.fixture
def facts(make_service: Any, make_finding: Any, window: Window) -> Facts:
    """A web service that fails, whose code is at hand."""
    service = make_service()
    incident = Incident(
        fingerprint="0123456789",
        environment_id="e1",
        service=service,
        findings=(make_finding(),),
        onset=window.start + timedelta(minutes=10),
        deployed_commit="c" * 40,
        window=window,
    )
    return Facts(
        incident, logs=LogFacts(errors=50), code=CodeFacts(suspects=("app.py:7",), ahead_by=0)
    )


def with_findings(facts: Facts, *findings: Any, **service: Any) -> Facts:
    changed = facts.incident.service.model_copy(update=service)
    update = {"service": changed, **({"findings": findings} if findings else {})}
    return replace(facts, incident=facts.incident.model_copy(update=update))


def deployed(facts: Facts, minutes: float, **fields: Any) -> ChangeFacts:
    """Deployed so many minutes before the onset, after two days of another commit."""
    at = facts.incident.onset - timedelta(minutes=minutes)
    live = Deployment(id="live", service_id="s", status="SUCCESS", created_at=at, commit="c" * 40)
    older = live.model_copy(
        update={"id": "older", "commit": "a" * 40, "created_at": at - timedelta(days=2)}
    )
    defaults: dict[str, Any] = {
        "live": live, "previous": older, "newest": live, "served_for": timedelta(days=2),
        "can_roll_back": True,
    }  # fmt: skip
    return ChangeFacts(**(defaults | fields))


def kind(facts: Facts) -> VerdictKind:
    return judge(facts, ()).kind


# ------------------------------------------------------------------ no_action


def test_high_use_that_nothing_suffers_from(facts: Facts, make_finding: Any) -> None:
    """Maybe the service is just successful; a leak is not that, nor is an error beside it."""
    cpu = make_finding(
        signal=Signal.cpu, value=83.0, threshold=70.0, unit="%", severity=Severity.warning
    )
    busy = with_findings(facts, cpu)
    assert kind(busy) is K.no_action
    leak = cpu.model_copy(
        update={"signal": Signal.memory, "pattern": Pattern.trend, "hours_left": 3.0}
    )
    assert kind(with_findings(facts, leak)) is K.code_fix
    assert kind(with_findings(facts, cpu, make_finding())) is K.code_fix


def test_requests_for_what_is_not_there(facts: Facts, make_finding: Any) -> None:
    """404 on routes that answer nothing else are scanners'; on a route of ours they are not."""
    refused = make_finding(signal=Signal.http_4xx, value=30.0, threshold=10.0, unit="%")
    scanned = replace(
        with_findings(facts, refused), http=HttpFacts(refused=100, refused_elsewhere=97)
    )
    assert kind(scanned) is K.no_action
    ours = replace(scanned, http=HttpFacts(refused=100, refused_elsewhere=30))
    assert kind(ours) is K.code_fix
    assert kind(replace(scanned, http=None)) is K.code_fix, "what was not read says nothing"


# ------------------------------------------------------------------ wait_upstream


def upstream(**fields: Any) -> Upstream:
    defaults: dict[str, Any] = {
        "id": "stripe", "name": "Stripe", "how": ("api.stripe.com in 40 of its errors",), "errors": 40,
        "known": True, "incident": "Charges fail", "incident_url": "https://stspg.io/abc",
    }  # fmt: skip
    return Upstream(**(defaults | fields))


def test_a_provider_that_says_it_is_in_trouble(facts: Facts) -> None:
    """Both are needed: that ours names it, and that it says so."""
    down = replace(facts, upstreams=(upstream(),))
    verdict = judge(down, ())
    assert verdict.kind is K.wait_upstream
    assert "Stripe has an unresolved incident" in verdict.reason
    assert verdict.action == "wait, and follow https://stspg.io/abc"
    for other in (
        upstream(incident=None),
        upstream(incident=None, known=False, unknown="no answer"),
        upstream(errors=2),
        upstream(errors=4),
        upstream(errors=0),
    ):
        assert kind(replace(facts, upstreams=(other,))) is K.code_fix
    assert (
        kind(replace(facts, upstreams=(upstream(errors=0, failed_lookups=3),))) is K.wait_upstream
    )


def test_a_call_without_a_timeout_is_said_to_be_worth_a_fix(facts: Facts) -> None:
    """The verdict stays: the provider is down whatever our code does."""
    verdict = judge(replace(facts, upstreams=(upstream(has_guard=False),)), ())
    assert verdict.kind is K.wait_upstream
    assert "names no timeout" in verdict.reason
    bounded = judge(replace(facts, upstreams=(upstream(has_guard=True),)), ())
    assert "timeout" not in bounded.reason


def test_the_platforms_own_trouble(facts: Facts, make_finding: Any) -> None:
    """With others since the same time, or a build; one service alone is its own trouble."""
    others = (make_finding("a"), make_finding("b"))
    troubled = replace(facts, platform="identified: networking is degraded", neighbours=others)
    assert kind(troubled) is K.wait_upstream
    assert kind(replace(troubled, neighbours=others[:1])) is K.code_fix
    assert kind(replace(troubled, platform=None)) is K.code_fix
    build = with_findings(facts, make_finding(signal=Signal.build_failure))
    assert kind(replace(build, platform="builds are slow")) is K.wait_upstream


# ------------------------------------------------------------------ rollback


@pytest.fixture
def stepped(facts: Facts, make_finding: Any) -> Facts:
    """5xx since a deployment three minutes before the onset."""
    finding = make_finding(
        value=22.0, threshold=5.0, baseline=0.1, deployment_id="live", onset=facts.incident.onset
    )
    return replace(with_findings(facts, finding), changes=deployed(facts, 3))


def test_a_step_right_after_a_deployment(stepped: Facts) -> None:
    """The one before was fine: back to it."""
    verdict = judge(stepped, ())
    assert verdict.kind is K.rollback
    assert "3 min after commit cccccccccccc" in verdict.reason
    assert "roll back to commit aaaaaaaaaaaa" in verdict.action


@pytest.mark.parametrize(
    "change",
    [
        {"baseline": 6.0},
        {"baseline": None},
        {"deployment_id": None},
        {"deployment_id": "another"},
        {"signal": Signal.cpu, "severity": Severity.warning, "pattern": Pattern.step, "unit": "%"},
    ],
)
def test_no_step_after_this_deployment(stepped: Facts, change: dict[str, Any]) -> None:
    """It was as bad before, nobody knows what is normal, or it was another deployment."""
    (finding,) = stepped.incident.findings
    assert kind(with_findings(stepped, finding.model_copy(update=change))) is not K.rollback


@pytest.mark.parametrize(
    "changes",
    [
        {"previous": None},
        {"kept": Kept.all},
        {"served_for": timedelta(minutes=5)},
    ],
)
def test_no_deployment_to_go_back_to(stepped: Facts, changes: dict[str, Any]) -> None:
    """The first one, a mere redeploy, or one that hardly served."""
    assert stepped.changes
    assert kind(replace(stepped, changes=replace(stepped.changes, **changes))) is K.code_fix


def test_long_after_a_deployment_a_level_is_no_step(stepped: Facts) -> None:
    """Traffic may have done it; a step of the baseline half an hour later still counts."""
    late = replace(stepped, changes=deployed(stepped, 25))
    assert kind(late) is K.code_fix
    (finding,) = late.incident.findings
    assert (
        kind(with_findings(late, finding.model_copy(update={"pattern": Pattern.step})))
        is K.rollback
    )


def test_restarts_that_begin_with_a_deployment(stepped: Facts, make_finding: Any) -> None:
    """Of a count nothing before is known but that the older one served."""
    restarts = make_finding(
        signal=Signal.crash_loop, value=4.0, threshold=3.0, unit="restarts", pattern=Pattern.counted,
        deployment_id="live", onset=stepped.incident.onset,
    )  # fmt: skip
    assert kind(with_findings(stepped, restarts)) is K.rollback


def test_an_image_that_is_gone_is_deployed_anew(stepped: Facts) -> None:
    """And where only settings changed, they are named."""
    assert stepped.changes
    gone = replace(stepped, changes=replace(stepped.changes, can_roll_back=False))
    assert "its image is gone: redeploy commit aaaaaaaaaaaa" in judge(gone, ()).action
    settings = replace(stepped.changes, kept=Kept.code, changed_settings=("numReplicas",))
    assert (
        "set back numReplicas, or roll back to deployment older"
        in judge(replace(stepped, changes=settings), ()).action
    )


# ------------------------------------------------------------------ raise_limit, scale_replicas


def test_a_volume_that_is_nearly_full(facts: Facts, make_finding: Any) -> None:
    """Alone from its warning on; beside errors only when hardly anything is left."""
    disk = make_finding(signal=Signal.disk, value=85.0, threshold=80.0, unit="%")
    resources = ResourceFacts(volume="data", volume_used_mb=850, volume_size_mb=1_000)
    alone = replace(with_findings(facts, disk), resources=resources)
    verdict = judge(alone, ())
    assert verdict.kind is K.raise_limit
    assert "grow volume data to at least 1,280 MB" in verdict.action
    both = replace(with_findings(facts, disk, make_finding()), resources=resources)
    assert kind(both) is K.code_fix
    full = replace(both, resources=replace(resources, volume_used_mb=970))
    assert kind(full) is K.raise_limit


def test_memory_that_hardly_fits(facts: Facts, make_finding: Any) -> None:
    """Steady and nothing suffers: more of it, with a number. At three quarters it is fine."""
    memory = make_finding(signal=Signal.memory, value=94.0, threshold=70.0, unit="%")
    resources = ResourceFacts(memory=Shape.flat, peak_memory_gb=0.49, memory_limit_gb=0.512)
    full = replace(with_findings(facts, memory), resources=resources)
    verdict = judge(full, ())
    assert verdict.kind is K.raise_limit
    assert "from 512 to 768 MB" in verdict.action
    some = memory.model_copy(update={"value": 75.0})
    assert kind(with_findings(full, some)) is K.no_action


@pytest.fixture
def ended(facts: Facts, make_finding: Any) -> Facts:
    """Ended at its memory limit again and again, flat in between."""
    memory = make_finding(signal=Signal.memory, value=97.0, threshold=90.0, unit="%")
    restarts = make_finding(signal=Signal.crash_loop, value=4.0, threshold=3.0, unit="restarts")
    resources = ResourceFacts(
        memory=Shape.flat, peak_memory_gb=0.5, memory_limit_gb=0.512, restarts=4
    )
    return replace(with_findings(facts, memory, restarts), resources=resources)


def test_a_working_set_above_its_limit(ended: Facts) -> None:
    """It does not grow, so that it is no leak; a leak, and a crash with a trace, are for code."""
    assert kind(ended) is K.raise_limit
    assert ended.resources
    assert (
        kind(replace(ended, resources=replace(ended.resources, memory=Shape.rising))) is K.code_fix
    )
    trace = LogFacts(errors=4, frames=(Frame("/app/app.py", 7, "f"),))
    assert kind(replace(ended, logs=trace)) is K.code_fix
    assert kind(replace(ended, resources=None)) is K.code_fix


@pytest.fixture
def crowded(facts: Facts, make_finding: Any) -> Facts:
    """Asked twice its usual rate, CPU at its limit, slow."""
    cpu = make_finding(signal=Signal.cpu, value=98.0, threshold=90.0, unit="%")
    slow = make_finding(signal=Signal.latency, value=2_000.0, threshold=1_000.0, unit="ms")
    resources = ResourceFacts(traffic_factor=2.4, cpu_limit=0.5)
    return replace(with_findings(facts, cpu, slow, replicas=2), resources=resources)


def test_more_traffic_than_its_cpu_bears(crowded: Facts) -> None:
    """More replicas, with a number; with a volume there can be none, so more CPU."""
    verdict = judge(crowded, ())
    assert verdict.kind is K.scale_replicas
    assert verdict.action == "run 5 replicas of billing-api instead of 2"
    assert crowded.resources
    volume = replace(crowded, resources=replace(crowded.resources, volume="data"))
    verdict = judge(volume, ())
    assert verdict.kind is K.raise_limit
    assert "from 0.5 to 1 vCPU" in verdict.action


def test_slow_for_another_reason(crowded: Facts, make_service: Any, make_finding: Any) -> None:
    """The usual traffic, traffic nobody knows, a database at its limit, traces, or a leak."""
    assert crowded.resources
    for factor in (1.1, None):
        same = replace(crowded, resources=replace(crowded.resources, traffic_factor=factor))
        assert kind(same) is K.code_fix
    database = make_service("db", kind=ServiceKind.database)
    waits = replace(crowded, peers=(Peer(database, ("flows",), at_limit=True),))
    assert kind(waits) is K.code_fix
    broken = replace(crowded, logs=LogFacts(errors=9, frames=(Frame("a.py", 1, "f"),)))
    assert kind(broken) is K.code_fix


# ------------------------------------------------------------------ insufficient_evidence


def test_a_database(facts: Facts, make_service: Any, make_finding: Any) -> None:
    """Its trouble is its callers' incident; alone it is reported."""
    cpu = make_finding(signal=Signal.cpu, value=99.0, threshold=90.0, unit="%")
    database = with_findings(facts, cpu, kind=ServiceKind.database, repository=None)
    assert kind(database) is K.no_action
    caller = Peer(
        make_service("orders-web"), ("variable DB refers to it",), (make_finding(),), is_caller=True
    )
    verdict = judge(replace(database, peers=(caller,)), ())
    assert verdict.kind is K.insufficient_evidence
    assert "orders-web (variable DB refers to it)" in verdict.reason
    crash = with_findings(database, make_finding(signal=Signal.crash_loop, unit="restarts"))
    assert kind(crash) is K.insufficient_evidence


def test_nowhere_to_fix_it(facts: Facts) -> None:
    """An image, an upload, a repository that the token cannot reach: each with its reason."""
    image = judge(with_findings(facts, repository=None, image="acme/x:1"), ())
    assert (image.kind, "the image acme/x:1" in image.reason) == (K.insufficient_evidence, True)
    changes = deployed(facts, 600)
    assert changes.live
    upload = replace(changes, live=changes.live.model_copy(update={"commit": None}))
    assert "was uploaded" in judge(replace(facts, changes=upload), ()).reason
    unreachable = replace(
        facts, code=CodeFacts(unreachable="not found, or the token may not see it")
    )
    verdict = judge(unreachable, ())
    assert verdict.kind is K.insufficient_evidence
    assert "give GITHUB_TOKEN access to acme/billing-api" in verdict.action
    assert kind(replace(facts, code=None)) is K.code_fix, "a forge that fails says nothing"


def test_a_head_that_changed_the_place(facts: Facts) -> None:
    """Deploy it, and look again; a head that changed something else is no reason to wait."""
    ahead = CodeFacts(
        suspects=("app.py:7",), head="d" * 40, ahead_by=3, changed_suspects=("app.py:7",)
    )
    verdict = judge(replace(facts, code=ahead), ())
    assert verdict.kind is K.insufficient_evidence
    assert verdict.action == "deploy it: billing-api at dddddddddddd"
    assert kind(replace(facts, code=replace(ahead, changed_suspects=()))) is K.code_fix
    stuck = deployed(facts, 600)
    assert stuck.live
    failed = replace(
        stuck, newest=stuck.live.model_copy(update={"commit": "d" * 40, "status": "FAILED"})
    )
    assert "ended as FAILED" in judge(replace(facts, code=ahead, changes=failed), ()).reason


def test_too_little_was_read(facts: Facts, make_finding: Any) -> None:
    """Neither log nor requests; one of the two is enough to go on."""
    lost = replace(facts, failed={"deployment log": "x", "http log": "y"})
    assert kind(lost) is K.insufficient_evidence
    assert kind(replace(facts, failed={"deployment log": "x"})) is K.code_fix
    worker = with_findings(facts, domains=())
    assert kind(replace(worker, failed={"deployment log": "x"})) is K.insufficient_evidence


def test_silence_and_runs_that_overlap(facts: Facts, make_finding: Any) -> None:
    """Nothing it says explains them; errors, and runs that failed, do."""
    quiet = with_findings(facts, make_finding(signal=Signal.silence, unit="requests"))
    assert kind(replace(quiet, logs=LogFacts())) is K.insufficient_evidence
    assert kind(quiet) is K.code_fix
    cron = with_findings(facts, make_finding(signal=Signal.cron_failed, unit="runs"), domains=())
    late = RunFacts(succeeded=4, skipped=2, longest=timedelta(minutes=7))
    assert kind(replace(cron, runs=late)) is K.insufficient_evidence
    assert kind(replace(cron, runs=replace(late, failed=1))) is K.code_fix
    assert kind(replace(cron, runs=replace(late, hangs=True))) is K.code_fix


# ------------------------------------------------------------------ what it cites


def test_a_verdict_cites_what_it_rests_on_and_nothing_unread(facts: Facts, window: Window) -> None:
    """Findings always; of the other sources those that could be read."""

    def item(n: int, source: str, text: str = "x") -> EvidenceItem:
        return EvidenceItem(
            id=f"E{n}", source=source, start=window.start, end=window.end, why="", text=text
        )

    evidence = [
        item(1, "findings"), item(2, "deployment log", "could not be read: x"), item(3, "http log"),
        item(4, "databases"), item(5, "code"),
    ]  # fmt: skip
    verdict: Verdict = judge(facts, evidence)
    assert (verdict.kind, verdict.evidence) == (K.code_fix, ("E1", "E3", "E5"))


def test_the_tools_own_services_are_reported_and_never_repaired(facts: Facts) -> None:
    """Whatever they suffer from, also with a repository at hand."""
    verdict = judge(with_findings(facts, own=True), ())
    assert verdict.kind is K.insufficient_evidence
    assert "own services" in verdict.reason
