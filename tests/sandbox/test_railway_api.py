"""The platform's API over records made by hand: no process runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.blueprint import BY_NAME, ENVIRONMENT_ID, PROJECT_ID
from sandbox.railway.app import build_app
from sandbox.records import Deployment, Execution, Flow, LogLine, Lookup, Request, Sample
from sandbox.world import World
from tests.sandbox.serving import serve

TOKEN = "platform-token"
T0 = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
WEB, DATABASE, CRON = BY_NAME["orders-web"], BY_NAME["orders-db"], BY_NAME["nightly-report"]

Ask = Callable[..., Any]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def request(seconds: float, status: int, duration: int, path: str = "/customers/1") -> Request:
    return Request(
        at=at(seconds),
        id=f"r{seconds}",
        method="GET",
        path=path,
        host=str(WEB.domain),
        status=status,
        total_ms=duration,
        upstream_ms=duration,
        details="",
        upstream_errors="",
        upstream_address="",
        source_ip="203.0.113.9",
        user_agent="test",
        received=100,
        sent=200,
        instance_id="instance",
    )


def _fill(world: World) -> None:
    """Two deployments of the web service, one of the database, a cron service with two runs."""
    old = Deployment(WEB, Path("old"), commit="a" * 40, message="Add pages", branch="main")
    old.created, old.status = at(-600), "REMOVED"
    new = Deployment(WEB, Path("new"), commit="b" * 40, message="Sort", author="R", branch="main")
    new.created, new.status = at(0), "SUCCESS"
    database = Deployment(DATABASE, Path("db"), created=at(-900), status="SUCCESS")
    cron = Deployment(CRON, Path("cron"), created=at(-900), status="SUCCESS")
    cron.executions += [Execution(at(0), completed=at(1), exit_status=0)]
    cron.executions += [Execution(at(60), completed=at(61), exit_status=3)]
    for deployment in (database, old, cron, new):
        world.registry.add(deployment)
    for deployment in (database, new, cron):
        world.registry.activate(deployment)
    for second in (0, 1, 2, 10, 11):
        values = {"CPU_USAGE": 0.1 + second / 100, "CPU_LIMIT": 0.5}
        new.samples.append(Sample(int(at(second).timestamp()), values))
    old.samples.append(Sample(int(at(0).timestamp()), {"CPU_USAGE": 0.2, "CPU_LIMIT": 0.5}))
    old.requests.append(request(1, 200, 40))
    new.requests += [request(2 + i, 200, 10 * i) for i in range(8)]
    new.requests += [request(12, 503, 3000), request(13, 503, 3100, "/customers/2/orders")]
    new.log += [
        LogLine(at(1), "info", "page=orders queries=41 db_ms=1790", {"queries": "41"}),
        LogLine(at(2), "error", "page=orders timeout"),
        LogLine(at(3), "info", "page=customer queries=1"),
    ]
    database.log.append(LogLine(at(2.5), "error", "disk is slow"))
    new.lookups += [Lookup(at(1), "a.test", "NOERROR"), Lookup(at(2), "b.test", "NXDOMAIN")]
    new.flows.append(Flow(at(1), at(2), "10.0.0.9", 7000, 40_000, 90, 3.0, DATABASE))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    world = World(root, services=("orders-web", "orders-db", "nightly-report"), load=False)
    _fill(world)
    yield world
    world.stop()


@pytest.fixture(scope="module")
def ask(world: World) -> Iterator[Ask]:
    """Asks a query and gives its data."""
    with serve(build_app(world, TOKEN)) as address:

        def send(query: str, token: str = TOKEN, header: str = "Project-Access-Token") -> Any:
            answer = httpx.post(
                f"{address}/graphql/v2", json={"query": query}, headers={header: token}
            )
            body = answer.json()
            return body["data"] if "errors" not in body else answer

        yield send


def deployment_id(world: World, commit: str) -> str:
    return next(d.id for d in world.registry.all() if d.commit == commit * 40)


SPAN = f'startDate: "{at(0).isoformat()}", endDate: "{at(20).isoformat()}"'
HTTP = f'environmentId: "{ENVIRONMENT_ID}", serviceId: "{WEB.id}", {SPAN}'


def test_a_wrong_token_is_not_authorized_with_status_200(ask: Ask) -> None:
    answer = ask("{ projectToken { projectId } }", token="other")
    assert answer.status_code == 200
    error = answer.json()["errors"][0]
    assert error["message"] == "Not Authorized"
    assert error["traceId"]
    assert answer.json()["data"] is None


def test_the_token_is_taken_as_bearer_too(ask: Ask) -> None:
    query = "{ projectToken { projectId environmentId } }"
    data = ask(query, token=f"Bearer {TOKEN}", header="Authorization")
    assert data["projectToken"] == {"projectId": PROJECT_ID, "environmentId": ENVIRONMENT_ID}


def test_a_field_that_is_not_there_fails_validation(ask: Ask) -> None:
    answer = ask("{ projectToken { projectId moon } }")
    body = answer.json()
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "data" not in body


def test_one_failing_alias_nulls_the_whole_answer(ask: Ask) -> None:
    """The real API's root fields are non-null; the error's path names the alias."""
    answer = ask(f'{{ a: project(id: "{PROJECT_ID}") {{ id }} b: project(id: "x") {{ id }} }}')
    body = answer.json()
    assert body["data"] is None
    assert body["errors"][0]["path"] == ["b"]


def test_every_answer_carries_the_rate_limit_and_exhaustion_says_when(world: World) -> None:
    with serve(build_app(world, TOKEN, limit=1)) as address:
        url, headers = f"{address}/graphql/v2", {"Project-Access-Token": TOKEN}
        query = {"query": "{ platformStatus { isStable } }"}
        first = httpx.post(url, json=query, headers=headers)
        assert first.headers["X-RateLimit-Remaining"] == "0"
        second = httpx.post(url, json=query, headers=headers)
        assert second.status_code == 429
        assert int(second.headers["Retry-After"]) > 0


def test_the_environment_lists_what_runs(ask: Ask) -> None:
    data = ask(
        f"""{{ environment(id: "{ENVIRONMENT_ID}") {{
          isEphemeral
          serviceInstances {{ edges {{ node {{
            serviceName cronSchedule source {{ image repo }}
            domains {{ serviceDomains {{ domain }} }}
            latestDeployment {{ meta }} activeDeployments {{ status meta canRollback }}
          }} }} }}
          deployments(first: 2) {{ edges {{ node {{ status }} }} pageInfo {{ hasNextPage }} }}
          deploymentTriggers {{ edges {{ node {{ repository branch }} }} }}
          variables {{ edges {{ node {{ name references }} }} }}
          volumeInstances {{ edges {{ node {{ mountPath sizeMB volume {{ name }} }} }} }}
        }} }}"""
    )["environment"]
    instances = {
        edge["node"]["serviceName"]: edge["node"] for edge in data["serviceInstances"]["edges"]
    }
    web = instances["orders-web"]
    assert web["source"] == {"image": None, "repo": "acme/orders-web"}
    assert web["activeDeployments"][0]["meta"]["commitHash"] == "b" * 40
    assert web["domains"]["serviceDomains"] == [{"domain": "orders-web.up.sandbox.test"}]
    assert instances["orders-db"]["source"] == {"image": "acme/rowstore:1.4", "repo": None}
    assert instances["nightly-report"]["cronSchedule"] == "* * * * *"
    assert [e["node"]["status"] for e in data["deployments"]["edges"]] == ["SUCCESS", "SUCCESS"]
    assert data["deployments"]["pageInfo"]["hasNextPage"]
    assert {"repository": "acme/orders-web", "branch": "main"} in [
        edge["node"] for edge in data["deploymentTriggers"]["edges"]
    ]
    assert data["variables"]["edges"][0]["node"]["name"] == "ORDERS_DB"
    assert data["volumeInstances"]["edges"][0]["node"]["sizeMB"] == 500


def test_deployments_are_chosen_by_service_and_status(ask: Ask) -> None:
    query = '{{ deployments(input: {{serviceId: "{}", status: {{notIn: [{}]}}}}) {{ edges {{ node {{ meta }} }} }} }}'
    found = ask(query.format(WEB.id, "FAILED"))["deployments"]["edges"]
    assert [edge["node"]["meta"]["commitHash"][0] for edge in found] == ["b", "a"]
    found = ask(query.format(WEB.id, "REMOVED"))["deployments"]["edges"]
    assert [edge["node"]["meta"]["commitHash"][0] for edge in found] == ["b"]


def test_metrics_are_averages_per_step_without_points_where_nothing_was_measured(ask: Ask) -> None:
    """Deployments that overlap add up in usage and not in limits; a gap stays a gap."""
    rows = ask(
        f"""{{ metrics({SPAN}, sampleRateSeconds: 5, groupBy: [SERVICE_ID],
        measurements: [CPU_USAGE, CPU_LIMIT, DISK_USAGE_GB]) {{
          measurement tags {{ serviceId deploymentId }} values {{ ts value }} }} }}"""
    )["metrics"]
    assert {row["tags"]["serviceId"] for row in rows} == {WEB.id}
    assert {row["tags"]["deploymentId"] for row in rows} == {None}
    by_name = {row["measurement"]: row["values"] for row in rows}
    start = int(T0.timestamp())
    assert [value["ts"] - start for value in by_name["CPU_USAGE"]] == [0, 10]
    first, second = (value["value"] for value in by_name["CPU_USAGE"])
    assert first == pytest.approx((0.3 + 0.11 + 0.12) / 3)
    assert second == pytest.approx((0.2 + 0.21) / 2)
    assert {value["value"] for value in by_name["CPU_LIMIT"]} == {0.5}
    assert "DISK_USAGE_GB" not in by_name


def test_requests_are_counted_by_status_over_all_deployments(ask: Ask) -> None:
    query = f"{{ httpMetricsGroupedByStatus({HTTP}%s) {{ statusCode samples {{ ts value }} }} }}"
    rows = ask(query % "")["httpMetricsGroupedByStatus"]
    start = int(T0.timestamp())
    assert [(row["statusCode"], row["samples"]) for row in rows] == [
        (200, [{"ts": start, "value": 9.0}]),
        (503, [{"ts": start, "value": 2.0}]),
    ]
    rows = ask(query % ", stepSeconds: 10")["httpMetricsGroupedByStatus"]
    assert [len(row["samples"]) for row in rows] == [1, 1]
    rows = ask(query % ', path: "/customers/2/orders"')["httpMetricsGroupedByStatus"]
    assert [(row["statusCode"], row["samples"][0]["value"]) for row in rows] == [(503, 1.0)]


def test_durations_are_nearest_rank_percentiles(ask: Ask) -> None:
    query = f"{{ httpDurationMetrics({HTTP}) {{ samples {{ p50 p90 p95 p99 }} }} }}"
    samples = ask(query)["httpDurationMetrics"]["samples"]
    assert samples == [{"p50": 40.0, "p90": 3000.0, "p95": 3100.0, "p99": 3100.0}]


def test_deployment_logs_keep_the_newest_lines_that_match(ask: Ask, world: World) -> None:
    new = deployment_id(world, "b")
    query = (
        '{ deploymentLogs(deploymentId: "%s", %s) { message severity attributes { key value } } }'
    )
    rows = ask(query % (new, 'filter: "@level:info", limit: 1'))["deploymentLogs"]
    assert [row["message"] for row in rows] == ["page=customer queries=1"]
    span = f'startDate: "{at(1).isoformat()}", endDate: "{at(3).isoformat()}"'
    rows = ask(query % (new, span))["deploymentLogs"]
    assert [row["severity"] for row in rows] == ["info", "error"]
    assert {"key": "queries", "value": "41"} in rows[0]["attributes"]


def test_environment_logs_go_back_from_the_anchor(ask: Ask) -> None:
    """Oldest first, bounded by beforeLimit, over all services unless one is named."""
    query = (
        f'{{ environmentLogs(environmentId: "{ENVIRONMENT_ID}", filter: "%s", beforeLimit: 2, '
        f'anchorDate: "{at(2.5).isoformat()}") {{ message tags {{ serviceId }} timestamp }} }}'
    )
    rows = ask(query % "")["environmentLogs"]
    assert [row["message"] for row in rows] == ["page=orders timeout", "disk is slow"]
    assert rows[0]["timestamp"] == "2026-03-02T14:00:02.000000000Z"
    rows = ask(query % f"@service:{DATABASE.id}")["environmentLogs"]
    assert [row["tags"]["serviceId"] for row in rows] == [DATABASE.id]


def test_http_logs_are_filtered_and_have_no_start_date(ask: Ask, world: World) -> None:
    new = deployment_id(world, "b")
    query = (
        '{ httpLogs(deploymentId: "%s", filter: "@httpStatus:>=500", %s) { path totalDuration } }'
    )
    rows = ask(query % (new, "limit: 10"))["httpLogs"]
    assert [row["totalDuration"] for row in rows] == [3000, 3100]
    answer = ask(query % (new, f'startDate: "{at(0).isoformat()}"'))
    assert answer.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_an_unreadable_filter_is_a_problem_at_status_200(ask: Ask, world: World) -> None:
    new = deployment_id(world, "b")
    answer = ask(f'{{ deploymentLogs(deploymentId: "{new}", filter: "(") {{ message }} }}')
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["message"] == "Problem processing request"


def test_cron_runs_show_how_they_ended(ask: Ask) -> None:
    data = ask(
        f"""{{ deploymentInstanceExecutions(
        input: {{environmentId: "{ENVIRONMENT_ID}", serviceId: "{CRON.id}"}}) {{
          edges {{ node {{ status completedAt }} }} }} }}"""
    )
    edges = data["deploymentInstanceExecutions"]["edges"]
    assert [edge["node"]["status"] for edge in edges] == ["CRASHED", "EXITED"]
    assert edges[1]["node"]["completedAt"] == "2026-03-02T14:00:01.000Z"


def test_limits_are_what_the_service_declares(ask: Ask) -> None:
    query = f'{{ serviceInstanceLimits(environmentId: "{ENVIRONMENT_ID}", serviceId: "{WEB.id}") }}'
    assert ask(query)["serviceInstanceLimits"] == {
        "containers": {"cpu": WEB.cpu_limit, "memoryBytes": 128_000_000}
    }


def test_introspection_answers(ask: Ask) -> None:
    fields = ask('{ __type(name: "Query") { fields { name } } }')["__type"]["fields"]
    assert {"name": "httpMetricsGroupedByStatus"} in fields
    assert {"name": "webhooks"} not in fields


def _network(service: str, dns: str = "") -> str:
    span = f'beforeDate: "{at(0).isoformat()}", anchorDate: "{at(60).isoformat()}", beforeLimit: 9'
    of = f'environmentId: "{ENVIRONMENT_ID}", serviceId: "{service}", {span}'
    return (
        f"{{ dnsQueryLogs({of}{dns}) {{ qname rcode queriedAt queryZone }} "
        f"networkFlowLogs({of}) {{ peerKind peerServiceId dstPort byteCount l4LatencyMs dropCause }} }}"
    )


def test_look_ups_and_flows_are_those_that_were_recorded(ask: Ask) -> None:
    """Of one service, failed ones apart; nothing is made up for the others."""
    found = ask(_network(WEB.id))
    assert [row["qname"] for row in found["dnsQueryLogs"]] == ["a.test", "b.test"]
    assert found["networkFlowLogs"] == [
        {
            "peerKind": "service", "peerServiceId": DATABASE.id, "dstPort": 7000, "byteCount": 90,
            "l4LatencyMs": 3.0, "dropCause": None,
        }
    ]  # fmt: skip
    failed = ask(_network(WEB.id, ', filter: "@status:failed"'))
    assert [row["qname"] for row in failed["dnsQueryLogs"]] == ["b.test"]
    assert ask(_network(CRON.id)) == {"dnsQueryLogs": [], "networkFlowLogs": []}
