"""What services ask for outside: recorded as it was asked, and a provider that is up or down."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sandbox.blueprint import BY_NAME
from sandbox.egress import INCIDENT, Egress, Provider
from sandbox.records import Deployment
from tests.sandbox.serving import serve

STARTED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


@pytest.fixture
def deployment() -> Deployment:
    return Deployment(BY_NAME["checkout-api"], Path("x"))


@pytest.fixture(params=[True, False])
def provider(request: pytest.FixtureRequest) -> Provider:
    return Provider(STARTED, is_up=request.param)


@pytest.fixture
def egress(deployment: Deployment, provider: Provider) -> Iterator[Egress]:
    found = Egress(lambda id_: deployment if id_ == deployment.id else None, provider)
    found.start()
    yield found
    found.close()


def ask(egress: Egress, deployment: Deployment, url: str) -> tuple[int, dict[str, str]]:
    """As a service does: the standard library, told its proxy."""
    proxies = urllib.request.ProxyHandler({"http": egress.address(deployment)})
    try:
        with urllib.request.build_opener(proxies).open(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_call_is_answered_by_the_provider_and_recorded(
    egress: Egress, deployment: Deployment, provider: Provider
) -> None:
    """A look-up and a flow of the service that called."""
    status, value = ask(egress, deployment, "http://api.paywell.test/v1/authorisations/7?cents=9")
    assert (status, value) == (
        (200, {"reference": "pw_7"}) if provider.is_up else (503, {"error": "service unavailable"})
    )
    (lookup,) = deployment.lookups
    assert (lookup.name, lookup.code) == ("api.paywell.test", "NOERROR")
    (flow,) = deployment.flows
    assert flow.peer is None
    assert flow.latency_ms > 0


def test_a_name_that_nobody_knows_is_not_found(egress: Egress, deployment: Deployment) -> None:
    """It was looked up, and nothing was sent."""
    assert ask(egress, deployment, "http://nobody.test/x")[0] == 502
    assert [(found.name, found.code) for found in deployment.lookups] == [
        ("nobody.test", "NXDOMAIN")
    ]
    assert list(deployment.flows) == []


def test_the_status_page_tells_what_is_so(provider: Provider) -> None:
    """An incident while it is down, none while it is up."""
    with serve(provider.status_page()) as url:
        page = httpx.get(f"{url}/paywell/api/v2/summary.json").json()
    names = [incident["name"] for incident in page["incidents"]]
    assert names == ([] if provider.is_up else [INCIDENT])


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic ?", "Basic YQ=="])
def test_a_header_that_names_nobody_is_answered_all_the_same(
    egress: Egress, deployment: Deployment, provider: Provider, header: str
) -> None:
    """The call is nobody's, and nothing is recorded."""
    host, _, port = egress.address(deployment).rpartition("@")[2].partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    url = "http://api.paywell.test/v1/authorisations/1"
    connection.request("GET", url, headers={"Proxy-Authorization": header})
    assert connection.getresponse().status == (200 if provider.is_up else 503)
    connection.close()
    assert not deployment.lookups
