from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autofix.errors import ConfigError, RailwayError
from autofix.models import ServiceKind, Window
from tests.unit.observe.railway_app import RailwayApp, deployment, edges, errors, instance

STEP = timedelta(seconds=60)
NO_DOMAIN: dict[str, Any] = {"domains": {"serviceDomains": [], "customDomains": []}}


def image(name: str) -> dict[str, Any]:
    meta = {"image": name}
    served = deployment("db", meta=meta)
    return {
        "source": {"image": name, "repo": None},
        "latestDeployment": served,
        "activeDeployments": [served],
    }


def test_kinds_follow_schedule_image_volume_and_domain() -> None:
    """What a service is for is read from its configuration."""
    volume = {"serviceId": "rows", "mountPath": "/data", "currentSizeMB": 10.5, "sizeMB": 500}
    app = RailwayApp(
        instance("report", cronSchedule="0 3 * * *"),
        instance("pg", **NO_DOMAIN, **image("ghcr.io/railway/postgres-ssl:16")),
        instance("rows", **NO_DOMAIN, **image("acme/rowstore:1.4")),
        instance("proxy", **NO_DOMAIN, **image("acme/proxy:2")),
        instance("web"),
        instance("mailer", **NO_DOMAIN),
        volumeInstances=edges([volume | {"volume": {"name": "rows-data"}}]),
    )
    with app.client() as client:
        architecture = client.fetch_architecture()
    kinds = {s.name: s.kind for s in architecture.services}
    assert kinds == {
        "report": ServiceKind.cron,
        "pg": ServiceKind.database,
        "rows": ServiceKind.database,
        "proxy": ServiceKind.worker,
        "web": ServiceKind.web,
        "mailer": ServiceKind.worker,
    }
    assert architecture.service("rows").repository is None
    assert architecture.service("rows").image == "acme/rowstore:1.4"
    assert architecture.volumes[0].name == "rows-data"


def test_the_serving_deployment_is_not_the_latest_failed_one() -> None:
    """While a newer deployment failed, the commit that serves is the older one's."""
    failed = deployment("api", "2026-03-02T13:00:00Z", id="d2", status="FAILED")
    app = RailwayApp(instance("api", latestDeployment=failed))
    with app.client() as client:
        (service,) = client.fetch_architecture().services
    assert service.deployment
    assert service.deployment.id == "d-api"


def test_repository_and_branch_fall_back_to_meta_and_trigger() -> None:
    """Without a source the deployment knows the repository, and the trigger the branch."""
    trigger = {"serviceId": "b", "repository": "acme/b", "branch": "production"}
    app = RailwayApp(
        instance("a", source=None),
        instance("b", source=None, activeDeployments=[], latestDeployment=None),
        deploymentTriggers=edges([trigger]),
    )
    with app.client() as client:
        a, b = client.fetch_architecture().services
    assert (a.repository, a.branch) == ("acme/a", "main")
    assert (b.repository, b.branch) == ("acme/b", "production")


def test_null_where_a_list_or_a_name_could_be() -> None:
    """Fields that are null are empty, and unknown fields are ignored."""
    bare = {"serviceId": "x", "serviceName": "x", "somethingNew": {"a": 1}}
    nulls = dict.fromkeys(["numReplicas", "source", "domains", "latestDeployment"])
    app = RailwayApp(bare | nulls | {"activeDeployments": None, "watchPatterns": None})
    with app.client() as client:
        (service,) = client.fetch_architecture().services
    assert (service.replicas, service.repository, service.deployment) == (1, None, None)


def test_an_ephemeral_environment_is_not_watched() -> None:
    """Pull request environments come and go; pointing at one is a wrong setting."""
    app = RailwayApp(isEphemeral=True, name="pr-12")
    with app.client() as client, pytest.raises(ConfigError, match="pr-12"):
        client.fetch_architecture()


def test_unreadable_platform_status_is_no_obstacle() -> None:
    """Some tokens may not read Railway's own status; the rest goes on."""
    app = RailwayApp(instance("api"))
    app.broken = {"platform"}
    with app.client() as client:
        assert client.fetch_architecture().platform is None
        assert client.fetch_architecture().platform is None
    assert app.names() == ["Architecture"] * 3, "asked for once, then left out"


def test_an_answer_of_another_shape_names_the_field() -> None:
    """A changed schema is an error with a place, not a crash."""
    app = RailwayApp({"serviceId": "x"})
    with app.client() as client, pytest.raises(RailwayError, match="serviceName"):
        client.fetch_architecture()


def test_http_is_batched_by_ten(window: Window) -> None:
    """Twenty-three services take three requests."""
    app = RailwayApp()
    with app.client() as client:
        reading = client.fetch_http([f"s{i}" for i in range(23)], window, STEP)
    assert len(reading.services) == 23
    assert app.names() == ["Http"] * 3


def test_one_failing_alias_costs_only_its_service(window: Window) -> None:
    """A batch that one alias nulled is split; the others are read, that one is said to fail."""
    app = RailwayApp()
    app.broken = {"s3"}
    app.statuses = {"s4": [{"statusCode": 200, "samples": [{"ts": 1, "value": 5}]}]}
    with app.client(attempts=1) as client:
        reading = client.fetch_http([f"s{i}" for i in range(12)], window, STEP)
    assert list(reading.failed) == ["s3"]
    assert "Problem processing request" in reading.failed["s3"]
    assert len(reading.services) == 11
    assert reading.services["s4"].statuses[0].samples[0].value == 5


def test_a_query_refused_as_a_whole_is_not_split(window: Window) -> None:
    """A field that the schema does not have fails for every service; asking each is no use."""
    app = RailwayApp()
    app.faults = [errors('Unknown argument "stepSeconds" on field "Query.httpDurationMetrics".')]
    with app.client() as client:
        reading = client.fetch_http(["a", "b"], window, STEP)
    assert set(reading.failed) == {"a", "b"}
    assert app.names() == ["Http", "Schema"], "one probe, which finds nothing missing"


def test_log_lines_are_in_order_within_the_window_and_the_newest(window: Window) -> None:
    """The API returns one line too many, and perhaps some from outside."""
    times = ["14:29:59.123456789Z", "14:10:00Z", "13:59:00Z", "14:20:00Z", "14:30:00Z"]
    app = RailwayApp()
    app.logs["d1"] = [
        {"timestamp": f"2026-03-02T{t}", "message": t, "severity": None} for t in times
    ]
    with app.client() as client:
        lines = client.fetch_deployment_logs("d1", window.start, window.end, limit=2)
    assert [line.message for line in lines] == ["14:20:00Z", "14:29:59.123456789Z"]


def test_http_logs_are_asked_for_by_anchor(window: Window) -> None:
    """The window of an HTTP log is its anchor, the date before it and a limit."""
    app = RailwayApp()
    with app.client() as client:
        client.fetch_http_logs("d1", window.start, window.end, limit=9_999)
    variables = app.requests[0]["variables"]
    assert (variables["start"], variables["end"]) == (
        "2026-03-02T14:00:00Z",
        "2026-03-02T14:30:00Z",
    )
    assert variables["limit"] == 5_000


def test_deployments_are_newest_first() -> None:
    """The API promises no order."""
    app = RailwayApp()
    app.logs["deployments api"] = [
        deployment("api", "2026-03-01T00:00:00Z", id="old", meta=None),
        deployment("api", "2026-03-02T00:00:00Z", id="new"),
    ]
    with app.client() as client:
        assert [d.id for d in client.fetch_deployments("api")] == ["new", "old"]


def test_an_answer_of_another_shape_costs_only_its_service(window: Window) -> None:
    """One service whose numbers are no numbers does not take nine others with it."""
    app = RailwayApp()
    app.statuses = {"s3": [{"statusCode": "many", "samples": []}]}
    with app.client(attempts=1) as client:
        reading = client.fetch_http([f"s{i}" for i in range(10)], window, STEP)
    assert len(reading.services) == 9
    assert "statusCode" in reading.failed["s3"]


@pytest.mark.parametrize("name", ["errors", "platform"])
def test_a_log_of_another_shape_leaves_the_other(window: Window, name: str) -> None:
    """It is said to be unread, and sinks nothing."""
    app = RailwayApp()
    app.logs[name] = [{"timestamp": "2026-03-02T14:00:01Z", "tags": {"serviceId": 5}}]
    with app.client() as client:
        counts = client.fetch_log_counts(window)
    assert (counts.errors is None, counts.platform is None) == (name == "errors", name != "errors")
    assert "serviceId" in counts.failed[0]
