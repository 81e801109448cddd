"""Every source over its API, each failing alone; the budget; and the one door."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from autofix.errors import ConfigError
from autofix.investigate.budget import SERVICE_TOKENS
from autofix.investigate.case import MISSING
from autofix.investigate.evidence import Gathered, build_evidence, gather
from autofix.investigate.facts import Kept
from autofix.investigate.providers import load_providers
from autofix.investigate.scene import read_scene
from autofix.investigate.status import StatusReader
from autofix.models import (
    Architecture,
    Deployment,
    EvidenceItem,
    Finding,
    Incident,
    PlatformStatus,
    Service,
    ServiceKind,
    Signal,
    Volume,
    Window,
)
from autofix.redact import redactor
from autofix.tokens import estimate_tokens
from tests.unit.investigate.forge_app import ForgeApp
from tests.unit.observe.railway_app import RailwayApp, deployment

STEP = timedelta(seconds=60)
SECRET = "hunter2-hunter2"
SERVICE = "svc-billing-api"
OLD, LIVE, HEAD = "a" * 40, "c" * 40, "d" * 40
APP = Path(__file__).resolve().parents[3] / "sandbox" / "services" / "billing-api" / "app.py"
ROWS = [
    "Traceback (most recent call last):",
    '  File "/app/app.py", line 43, in invoice_total',
    '    discount = net * DISCOUNTS[customer["id"]]["percent"] // 100',
    "KeyError: 7",
]  # fmt: skip


@pytest.fixture
def incident(make_service: Any, make_finding: Any, window: Window) -> Incident:
    return Incident(
        fingerprint="0123456789",
        environment_id="e1",
        service=make_service(),
        findings=(make_finding(),),
        onset=window.start + timedelta(minutes=10),
        deployed_commit=LIVE,
        window=window,
    )


def line(at: str, message: str, severity: str = "info") -> dict[str, Any]:
    return {"timestamp": f"2026-03-02T{at}Z", "message": message, "severity": severity}


def http(at: str, path: str, status: int, ms: int) -> dict[str, Any]:
    return {
        "timestamp": f"2026-03-02T{at}Z", "requestId": f"{at}{path}", "method": "GET",
        "path": path, "httpStatus": status, "totalDuration": ms,
    }  # fmt: skip


def railway(window: Window) -> RailwayApp:
    """A service with errors, routes, metrics and history, beside a database at its limit."""
    app, start = RailwayApp(), int(window.start.timestamp())

    def series(service: str, name: str, values: list[float]) -> None:
        points = [{"ts": start + 60 * i, "value": v} for i, v in enumerate(values)]
        tags = {"serviceId": service}
        app.metrics.append({"measurement": name, "tags": tags, "values": points})

    series(SERVICE, "MEMORY_USAGE_GB", [0.02 + i / 400 for i in range(30)])
    series(SERVICE, "MEMORY_LIMIT_GB", [0.096] * 30)
    series("svc-db", "CPU_USAGE", [0.199] * 30)
    series("svc-db", "CPU_LIMIT", [0.2] * 30)
    app.statuses[SERVICE] = [{"statusCode": 500, "samples": [{"ts": start, "value": 4}]}]
    app.logs["dep-billing-api"] = [
        *(line(f"14:0{i}:00", f"page=orders queries={i} token={SECRET}") for i in range(9)),
        *(line("14:10:05", row, "error") for row in ROWS),
        line("14:11:00", "Container killed: memory limit exceeded"),
    ]
    app.logs["http dep-billing-api"] = [
        http(f"14:1{i % 10}:{i:02}", f"/invoices/{i}?key={SECRET}", 500 if i % 4 == 0 else 200, 30)
        for i in range(20)
    ]
    app.history[SERVICE] = [
        _deployed("dep-billing-api", "2026-03-01T14:30:00Z", LIVE, numReplicas=2),
        _deployed("dep-old", "2026-02-20T09:00:00Z", OLD, numReplicas=1, status="REMOVED"),
    ]
    app.lookups[SERVICE] = [
        {"queriedAt": "2026-03-02T14:12:00Z", "qname": "api.stripe.com.", "rcode": "SERVFAIL",
         "qtype": "A", "queryZone": "external"},
    ]  # fmt: skip
    app.flows[SERVICE] = [
        {"captureStart": "2026-03-02T14:12:00Z", "direction": "egress", "dstPort": 5432,
         "byteCount": 900, "l4LatencyMs": 3.0, "peerKind": "service", "peerServiceId": "svc-db"},
        {"captureStart": "2026-03-02T14:12:00Z", "direction": "egress", "dstPort": 443,
         "byteCount": 0, "l4LatencyMs": 0.0, "peerKind": "internet", "dropCause": "POLICY"},
    ]  # fmt: skip
    app.variables = [
        {"name": "DATABASE_URL", "serviceId": SERVICE, "references": ["db.DATABASE_URL"],
         "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-03-02T13:50:00Z"},
        {"name": "OTHER", "serviceId": "svc-x", "references": [],
         "updatedAt": "2026-03-02T13:50:00Z"},
    ]  # fmt: skip
    return app


def _deployed(id_: str, at: str, commit: str, status: str = "SUCCESS", **deploy: Any) -> Any:
    meta = {"repo": "acme/billing-api", "branch": "main", "commitHash": commit,
            "serviceManifest": {"deploy": deploy}}  # fmt: skip
    return deployment(SERVICE, at, id=id_, status=status, meta=meta, canRollback=True)


def forge() -> ForgeApp:
    """The service's repository: an older commit, the deployed one, and a newer one."""
    app, text = ForgeApp(), APP.read_text()
    old = text.replace("DISCOUNTS[customer[", "DISCOUNTS.get(customer[")
    readme = {"README.md": "Run `python -m unittest` in this folder.\n"}
    app.commit("acme/billing-api", OLD, readme | {"app.py": old})
    app.commit("acme/billing-api", LIVE, readme | {"app.py": text}, "Simplify discounts")
    app.commit("acme/billing-api", HEAD, readme | {"app.py": text, "b.py": "x = 1\n"})
    return app


@pytest.fixture
def database(make_service: Any) -> Service:
    service: Service = make_service(
        "db", kind=ServiceKind.database, image="acme/rowstore:1", domains=(), repository=None
    )
    return service


def run(
    app: RailwayApp,
    incident: Incident,
    *others: Service,
    code: ForgeApp | None = None,
    findings: tuple[Finding, ...] = (),
    **architecture: Any,
) -> Gathered:
    whole = Architecture(
        project_id="p1",
        project_name="shop",
        environment_id="e1",
        environment_name="production",
        services=(incident.service, *others),
        **architecture,
    )
    return ask(app, incident, whole, findings=findings, open_forge=code.open if code else None)


def ask(app: RailwayApp, incident: Incident, whole: Architecture, **options: Any) -> Gathered:
    with app.client(attempts=1) as client:
        return gather(
            client,
            incident,
            read_scene(client, whole, [incident], STEP),
            providers=load_providers(),
            status=StatusReader(Path.cwd() / "status", incident.window.end, transport=PAGES),
            **options,
        )


PAGES = httpx.MockTransport(lambda _: httpx.Response(200, json={"incidents": []}))
"""Status pages on which all is well."""


def items_of(gathered: Gathered, **options: Any) -> dict[str, list[EvidenceItem]]:
    found: dict[str, list[EvidenceItem]] = {}
    for item in build_evidence(gathered.drafts, redactor([SECRET]), **options):
        found.setdefault(item.source, []).append(item)
    return found


def text_of(gathered: Gathered, source: str) -> str:
    return "\n".join(item.text for item in items_of(gathered).get(source, []))


def test_every_source_gives_its_item(incident: Incident, database: Service, window: Window) -> None:
    """What decides comes first; ids run from the first one given."""
    gathered = run(railway(window), incident, database, code=forge())
    items = build_evidence(gathered.drafts, redactor([SECRET]), first_id=4)
    assert [i.id for i in items] == [f"E{4 + n}" for n in range(len(items))]
    assert [i.source for i in items] == [
        "findings", "deployment log", "deployment log", "deployment log", "http log", "code",
        "upstreams", "dns", "neighbours", "metrics", "databases", "deployments", "diff", "flows", "guidance",
    ]  # fmt: skip
    assert gathered.facts.failed == {}
    assert gathered.summary.status_codes == {500: 4}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("findings", "critical http_5xx"),
        ("deployment log", "×1 at 14:10:05, not once before the onset\nTraceback (most recent"),
        ("deployment log", "Container killed: memory limit exceeded"),
        ("deployment log", "page=orders queries=0"),
        ("http log", "500         5       30       30            -  GET /invoices/{id}"),
        ("code", "app.py, lines 39–45: stack trace: invoice_total, line 43"),
        ("code", ">43 |     discount = net * DISCOUNTS"),
        ("code", "get_invoice: leads to GET /invoices/{id}"),
        (
            "upstreams",
            "Stripe: no incident that overlaps\n  known by 1 failed look-ups of api.stripe",
        ),
        ("dns", "×1 api.stripe.com SERVFAIL"),
        (
            "neighbours",
            "talks to db (database), known by variable DATABASE_URL refers to it; flows",
        ),
        ("metrics", "limit 96"),
        ("databases", "db (acme/rowstore:1)"),
        ("deployments", "it replaced aaaaaaaaaaaa."),
        ("deployments", "numReplicas: 1 → 2"),
        ("deployments", "Variables set in the two hours before the onset: DATABASE_URL"),
        ("diff", "Simplify discounts"),
        ("diff", '-    discount = net * DISCOUNTS.get(customer["id"]]["percent"] // 100'),
        ("flows", "×1 dropped to internet port 443: POLICY"),
        ("guidance", "README.md: python -m unittest"),
    ],
)
def test_an_item_says_what_its_source_knows(
    incident: Incident, database: Service, window: Window, source: str, says: str
) -> None:
    """In the words that a reader needs."""
    assert says in text_of(run(railway(window), incident, database, code=forge()), source)


def test_facts_are_what_the_evidence_comes_down_to(
    incident: Incident, database: Service, window: Window
) -> None:
    """Typed, and nothing in words: verdicts rest on them."""
    facts = run(railway(window), incident, database, code=forge()).facts
    assert facts.logs
    assert (facts.logs.errors, facts.logs.has_news) == (1, True)
    assert [(f.path, f.line) for f in facts.logs.frames] == [("/app/app.py", 43)]
    assert facts.http
    assert [(r.path, r.failed, r.answered) for r in facts.http.worst] == [("/invoices/{id}", 5, 15)]
    assert facts.changes
    assert facts.changes.previous
    assert (facts.changes.previous.id, facts.changes.kept) == ("dep-old", Kept.nothing)
    assert facts.changes.can_roll_back
    assert facts.changes.changed_settings == ("numReplicas",)
    assert facts.changes.changed_variables == ("DATABASE_URL",)
    assert [(p.service.name, p.at_limit, p.is_caller) for p in facts.peers] == [("db", True, False)]
    assert facts.code
    assert (facts.code.ahead_by, facts.code.changed_suspects) == (1, ())
    assert "app.py:43" in facts.code.suspects


def test_no_secret_leaves(incident: Incident, window: Window) -> None:
    """A live secret in a log line, in a query string and in the code is gone from every text."""
    code = forge()
    for files in code.commits["acme/billing-api"].values():
        files["app.py"] = files["app.py"].replace(
            "subtotal(invoice)\n", f"subtotal(invoice)  # {SECRET}\n", 1
        )
    found = items_of(run(railway(window), incident, code=code))
    dumped = [i.model_dump(mode="json") for items in found.values() for i in items]
    texts = json.dumps(dumped, ensure_ascii=False)
    assert "«live-secret:" in texts
    assert SECRET not in texts


def test_the_budget_holds_and_the_decisive_lines_stay(
    incident: Incident, database: Service, window: Window
) -> None:
    """A thousand shapes of long lines, a thousand routes, errors of every kind."""
    app = railway(window)
    words = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzabcd"]
    app.logs["dep-billing-api"] += [
        line(f"14:{n % 30:02}:{n % 60:02}", f"{w} " * 200, severity)
        for n, w in enumerate(words)
        for severity in ("info", "error")
    ]
    app.logs["http dep-billing-api"] += [http("14:20:00", f"/{w}", 404, 9) for w in words]
    gathered = run(app, incident, database, code=forge())
    items = build_evidence(gathered.drafts, redactor([SECRET]))
    assert sum(estimate_tokens(i.text + i.why) for i in items) <= SERVICE_TOKENS
    whole = "\n".join(i.text for i in items)
    for decisive in (
        "KeyError: 7",
        "memory limit exceeded",
        "page=orders",
        ">43 |",
        "/invoices/{id}",
    ):
        assert decisive in whole
    assert "… left out: " in whole


FAILURES = {
    "Resources": "metrics",
    "DeploymentLog": "deployment log",
    "HttpLog": "http log",
    "DeploymentHistory": "deployments",
    "DnsLog": "dns",
    "FlowLog": "flows",
}


@pytest.mark.parametrize("query", FAILURES)
def test_a_source_that_fails_says_so_and_the_others_go_on(
    incident: Incident, database: Service, window: Window, query: str
) -> None:
    """Nothing is left out silently, and nothing else is lost."""
    app = railway(window)
    app.broken = {query}
    found = items_of(run(app, incident, database, code=forge()))
    failed = [s for s, items in found.items() if any(i.text.startswith(MISSING) for i in items)]
    assert failed == [FAILURES[query]] or (query == "Resources" and failed == ["metrics"])
    (item,) = found[FAILURES[query]]
    assert "Problem processing request" in item.text
    assert len(found) >= 10


def test_a_schema_without_the_newer_logs_is_no_trouble(
    incident: Incident, database: Service, window: Window
) -> None:
    """Look-ups and flows are said to be missing in it; whom it talks to is known by variables."""
    app = railway(window)
    app.lacking = {"dnsQueryLogs", "networkFlowLogs"}
    gathered = run(app, incident, database, code=forge())
    assert text_of(gathered, "dns") == f"{MISSING}: this schema of Railway does not have it"
    assert [p.how for p in gathered.facts.peers] == [("variable DATABASE_URL refers to it",)]


def test_variables_that_cannot_be_read_are_said_to_be(incident: Incident, window: Window) -> None:
    """The deployments are shown without them."""
    app = railway(window)
    app.broken = {"Variables"}
    text = text_of(run(app, incident), "deployments")
    assert "it replaced aaaaaaaaaaaa." in text
    assert f"variables {MISSING}: Railway: Problem processing request" in text


def test_no_value_of_a_variable_is_ever_asked_for(
    incident: Incident, database: Service, window: Window
) -> None:
    """Names, times and references alone."""
    app = railway(window)
    run(app, incident, database)
    (asked,) = [r["query"] for r in app.requests if r["name"] == "Variables"]
    assert "value" not in asked.lower().replace("never a value", "")


def test_no_source_takes_more_than_ten_pages(
    incident: Incident, database: Service, window: Window
) -> None:
    """However long the logs are, and however many deployments served."""
    app = railway(window)
    app.logs["dep-billing-api"] += [
        line(f"14:{n // 60 % 30:02}:{n % 60:02}", f"noise {n}", "error") for n in range(6_000)
    ]
    app.logs["dep-new"] = list(app.logs["dep-billing-api"])
    newer = Deployment(
        id="dep-new", service_id=SERVICE, status="SUCCESS", created_at=window.start, commit=LIVE
    )
    run(app, incident, database, deployments=(newer,))
    names = app.names()
    assert max(names.count(name) for name in set(names)) <= 10


def test_a_failed_build_is_shown_with_its_end(incident: Incident, window: Window) -> None:
    """The newest deployment failed: its step, and the last lines of its log."""
    app = railway(window)
    failed = Deployment(
        id="dep-bad", service_id=SERVICE, status="FAILED", commit=HEAD,
        created_at=window.start + timedelta(minutes=9),
    )  # fmt: skip
    app.logs["build dep-bad"] = [line("14:09:30", f"step {n}") for n in range(60)]
    app.logs["build dep-bad"] += [line("14:09:40", "SyntaxError: invalid syntax", "error")]
    app.steps["dep-bad"] = [
        {"step": "BUILD_IMAGE", "createdAt": "2026-03-02T14:09:20Z", "payload": {"error": "exit 1"}}
    ]
    text = text_of(run(app, incident, deployments=(failed,)), "build log")
    assert text.startswith("BUILD_IMAGE failed: exit 1\n")
    assert "SyntaxError: invalid syntax" in text
    assert "step 59" in text
    assert "step 10\n" not in text


def test_runs_of_a_cron_are_shown(incident: Incident, make_service: Any, window: Window) -> None:
    """Failed ones first; times that a busy run left no room for are counted, also at its start."""
    app = railway(window)
    cron = make_service(kind=ServiceKind.cron, cron_schedule="*/5 * * * *", domains=())
    app.runs[SERVICE] = run_nodes(
        ("EXITED", "13:20:00", "13:21:00"),
        ("EXITED", "13:25:20", "14:09:00"),
        ("CRASHED", "14:10:30", "14:16:00"),
        ("RUNNING", "14:25:02", None),
    )
    gathered = run(app, incident.model_copy(update={"service": cron}))
    facts = gathered.facts.runs
    assert facts
    assert (facts.failed, facts.succeeded, facts.skipped) == (1, 1, 9)
    assert (facts.longest, facts.hangs) == (timedelta(minutes=43, seconds=40), False)
    assert text_of(gathered, "cron runs").startswith("2026-03-02 14:10:30  CRASHED")


def test_a_run_that_hangs_is_told_from_a_long_one(
    incident: Incident, make_service: Any, window: Window
) -> None:
    """It is busy for several times as long as any that ended."""
    app = railway(window)
    cron = make_service(kind=ServiceKind.cron, cron_schedule="*/5 * * * *", domains=())
    for begun, hangs in (("14:24:00", False), ("14:01:00", True)):
        app.runs[SERVICE] = run_nodes(("EXITED", "13:58:00", "14:00:30"), ("RUNNING", begun, None))
        facts = run(app, incident.model_copy(update={"service": cron})).facts.runs
        assert facts
        assert facts.hangs is hangs, begun


def run_nodes(*runs: tuple[str, str, str | None]) -> dict[str, Any]:
    """Runs as Railway answers them."""
    nodes = [
        {"status": s, "createdAt": f"2026-03-02T{a}Z", "completedAt": b and f"2026-03-02T{b}Z"}
        for s, a, b in runs
    ]
    return {"edges": [{"node": node} for node in nodes]}


def test_who_else_is_affected_since_then_is_told(
    incident: Incident, database: Service, make_finding: Any, window: Window
) -> None:
    """Findings of others about the same time; later ones are not neighbours."""
    findings = (
        make_finding("search-api", onset=incident.onset + timedelta(minutes=2)),
        make_finding("mailer", onset=incident.onset + timedelta(minutes=14)),
        make_finding("db", signal=Signal.cpu, onset=incident.onset),
    )
    gathered = run(railway(window), incident, database, findings=findings)
    assert [f.service for f in gathered.facts.neighbours] == ["search-api", "db"]
    text = text_of(gathered, "neighbours")
    assert "affected since the same time: search-api http_5xx" in text
    assert "\n  critical cpu" in text
    assert "mailer" not in text


@pytest.mark.parametrize("known", [True, False])
def test_trouble_at_the_same_time_counts_only_where_nothing_better_is_known(
    incident: Incident,
    database: Service,
    make_service: Any,
    make_finding: Any,
    window: Window,
    known: bool,
) -> None:
    """Else every service that waits would be said to query the one database that is busy."""
    app = railway(window)
    app.flows.clear()
    reference = {"name": "DB", "serviceId": "svc-orders-web", "references": ["db.URL"]}
    app.variables = [reference] if known else []
    findings = (make_finding("db", signal=Signal.cpu, onset=incident.onset),)
    others = (database, make_service("orders-web"))
    facts = run(app, incident, *others, findings=findings).facts
    ways = [p.how for p in facts.peers if p.service.id == database.id]
    assert ways == ([] if known else [("its trouble at the same time, and nothing else",)])


def test_a_repository_that_cannot_be_reached_is_a_fact(incident: Incident, window: Window) -> None:
    """Not there, or not for this token; the rest is gathered all the same."""
    gathered = run(railway(window), incident, code=ForgeApp())
    assert gathered.facts.code
    assert "is not there, or the token may not see it" in (gathered.facts.code.unreachable or "")
    assert "code" not in gathered.facts.failed


def test_a_forge_without_a_token_is_a_fact(incident: Incident, window: Window) -> None:
    """It says which setting is missing."""

    def refuse() -> Any:
        raise ConfigError("GITHUB_TOKEN is not set: create one")

    whole = Architecture(
        project_id="p1",
        project_name="shop",
        environment_id="e1",
        environment_name="production",
        services=(incident.service,),
    )
    facts = ask(railway(window), incident, whole, open_forge=refuse).facts
    assert facts.code
    assert facts.code.unreachable == "GITHUB_TOKEN is not set: create one"


def test_a_forge_that_fails_is_no_fact(incident: Incident, window: Window) -> None:
    """Nothing is known of the code then, and the reason is told."""
    code = forge()
    code.broken = True
    gathered = run(railway(window), incident, code=code)
    assert gathered.facts.code is None
    assert "Resource not accessible" in gathered.facts.failed["code"]


def test_a_head_that_changed_the_failing_lines_is_seen(incident: Incident, window: Window) -> None:
    """The newer commit touches what the trace points at."""
    code = forge()
    files = dict(code.commits["acme/billing-api"][LIVE])
    files["app.py"] = files["app.py"].replace("DISCOUNTS[customer[", "DISCOUNTS.get(customer[")
    code.commit("acme/billing-api", "e" * 40, files)
    facts = run(railway(window), incident, code=code).facts.code
    assert facts
    assert facts.ahead_by == 2
    assert "app.py:43" in facts.changed_suspects


def test_volumes_and_the_platform_are_told_when_there_is_something(
    incident: Incident, window: Window
) -> None:
    """A full volume of its own, and what Railway says of itself."""
    gathered = run(
        railway(window),
        incident,
        volumes=(
            Volume(name="data", service_id=SERVICE, mount_path="/d", used_mb=96, size_mb=100),
        ),
        platform=PlatformStatus(stable=False, incident="investigating: builds are slow"),
    )
    assert "data of billing-api at /d: 96 of 100 MB (96 % full)" in text_of(gathered, "volumes")
    assert text_of(gathered, "platform") == "investigating: builds are slow"
    assert gathered.facts.resources
    assert gathered.facts.resources.volume == "data"
