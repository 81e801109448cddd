from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from autofix.errors import ConfigError, RailwayError
from autofix.observe.railway import RailwayClient
from tests.unit.observe.railway_app import RailwayApp, errors, instance, make_settings


def cut(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("peer closed connection without complete body")


def slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


HTML = "<html><title>Access denied | used Cloudflare to restrict access</title></html>"
PASSING: dict[str, Callable[[httpx.Request], httpx.Response] | httpx.Response] = {
    "429": httpx.Response(429, headers={"Retry-After": "0"}, text="slow down"),
    "429 as text in a 200": errors("Too many usage queries. Please retry in 0 seconds."),
    "rate limit as text": errors("Rate limit exceeded, try again in 0 seconds"),
    "5xx": httpx.Response(502, text="bad gateway"),
    "5xx as JSON": errors("oops", status=500),
    "HTML with status 200": httpx.Response(200, text=HTML),
    "time-out": slow,
    "cut body": cut,
    "half a JSON document": httpx.Response(200, text='{"data": {"proj'),
    "generic failure": errors("Problem processing request"),
}
LASTING = {
    "dead token": (errors("Not Authorized"), "dead or has no access"),
    "401": (httpx.Response(401, text="no"), "dead or has no access"),
    "403 from the edge": (httpx.Response(403, text=HTML), "perhaps from the edge"),
    "unknown field": (errors('Cannot query field "x" on type "Query".'), "Cannot query field"),
    "errors as 400": (errors("bad variable", status=400), "bad variable"),
    "404": (httpx.Response(404, text="gone"), "status 404"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_tried_again(
    fault: Callable[[httpx.Request], httpx.Response] | httpx.Response,
) -> None:
    """A fault that passes by itself costs a second request and nothing else."""
    app = RailwayApp(instance("api"))
    app.faults = [fault]
    with app.client() as client:
        assert client.fetch_architecture().project_name == "shop"
    assert app.names()[:2] == ["Architecture", "Architecture"]


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_ends_as_a_retryable_error(
    fault: Callable[[httpx.Request], httpx.Response] | httpx.Response,
) -> None:
    """After the last attempt the error says that a later one may succeed."""
    app = RailwayApp()
    app.faults = [fault] * 2
    with app.client(attempts=2) as client, pytest.raises(RailwayError) as caught:
        client.fetch_architecture()
    assert caught.value.retryable
    assert len(app.requests) == 2


@pytest.mark.parametrize(("fault", "message"), LASTING.values(), ids=LASTING.keys())
def test_what_will_not_pass_is_not_tried_again(fault: httpx.Response, message: str) -> None:
    """A refusal is raised at once and says what is wrong."""
    app = RailwayApp()
    app.faults = [fault]
    with app.client() as client, pytest.raises(RailwayError, match=message) as caught:
        client.fetch_architecture()
    assert not caught.value.retryable
    assert app.names().count("Architecture") == 1


def test_a_wait_beyond_our_patience_is_raised_with_its_length() -> None:
    """Asked to come back in ten minutes, nobody sleeps here for ten minutes."""
    app = RailwayApp()
    app.faults = [httpx.Response(429, headers={"Retry-After": "600"})]
    with app.client() as client, pytest.raises(RailwayError) as caught:
        client.fetch_architecture()
    assert (caught.value.retryable, caught.value.retry_after) == (True, 600)
    assert len(app.requests) == 1


def test_retry_after_is_honoured() -> None:
    """The wait is the one that was asked for."""
    app = RailwayApp(instance("api"))
    app.faults = [httpx.Response(429, headers={"Retry-After": "1"})]
    with app.client() as client:
        client.fetch_architecture()
        waited = client._api.graphql._backoff(RailwayError("x", retryable=True, retry_after=1))
    assert waited == 1


def test_the_token_goes_into_its_header_and_nowhere_else() -> None:
    """A project token has its own header; an account token is a bearer."""
    app = RailwayApp(instance("api"))
    with app.client() as client:
        client.fetch_architecture()
    assert app.headers[0]["Project-Access-Token"] == "secret-railway-token"
    account = RailwayApp(instance("api"))
    settings = make_settings(railway_token=None, railway_api_token="account-token")
    with RailwayClient(settings, httpx.MockTransport(account)) as client:
        client.fetch_architecture()
    assert account.headers[0]["Authorization"] == "Bearer account-token"


@pytest.mark.parametrize("field", ["railway_token", "railway_project_id", "railway_environment_id"])
def test_a_missing_setting_is_named(field: str) -> None:
    """What is missing is named before any request."""
    settings = make_settings(**{field: None if field == "railway_token" else ""})
    with pytest.raises(ConfigError, match=field.upper()):
        RailwayClient(settings)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ({"id": "u1"}, "account token in RAILWAY_API_TOKEN is alive, but cannot see project p1"),
        (None, "RAILWAY_API_TOKEN: the token is dead or has no access .a workspace token"),
    ],
)
def test_an_account_token_without_access_is_told_from_a_dead_one(
    token: dict[str, str] | None, message: str
) -> None:
    """One more request, and only after a refusal."""
    app = RailwayApp()
    app.token = token
    app.faults = [errors("Not Authorized")]
    settings = make_settings(railway_token=None, railway_api_token="account-token")
    with app.client(settings=settings) as client, pytest.raises(RailwayError, match=message) as e:
        client.fetch_architecture()
    assert app.names() == ["Architecture", "Me"]
    assert "account-token" not in str(e.value)
