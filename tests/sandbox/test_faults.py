"""The faults that any server of the sandbox can be told to show."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.faults import Faults
from tests.sandbox.serving import serve


async def _hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": "world", "method": request.method})


@pytest.fixture(scope="module")
def address():
    routes = [Route("/{rest:path}", _hello, methods=["GET", "POST"])]
    with serve(Faults(Starlette(routes=routes), "hello")) as address:
        yield address


@pytest.fixture
def client(address):
    with httpx.Client(base_url=address, timeout=1) as client:
        client.delete("/_sandbox/faults")
        client.delete("/_sandbox/requests")
        yield client


def _arm(client: httpx.Client, **fault: object) -> None:
    assert client.post("/_sandbox/faults", json=fault).status_code == 204


@pytest.mark.parametrize("mode", ["401", "403", "404", "422", "429", "500", "503"])
def test_a_status_fault_answers_that_often_and_then_no_more(client, mode):
    """A status fault answers with its status exactly as often as armed."""
    _arm(client, mode=mode, times=2, retry_after=7)
    answers = [client.get("/x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [int(mode), int(mode), 200]
    assert answers[0].headers.get("Retry-After") == ("7" if mode == "429" else None)


def test_a_rate_limit_can_hide_in_a_graphql_answer(client):
    """GraphQL's rate limit is a 200 whose error says how long to wait."""
    _arm(client, mode="429-text", retry_after=3)
    answer = client.post("/graphql/v2", json={})
    assert answer.status_code == 200
    assert "try again in 3 seconds" in answer.json()["errors"][0]["message"]


def test_a_graphql_error_is_a_200(client):
    """A failing GraphQL server answers 200 with errors and no data."""
    _arm(client, mode="graphql-error")
    answer = client.post("/graphql/v2", json={})
    assert answer.status_code == 200
    assert answer.json()["data"] is None


def test_an_edge_answers_with_a_page(client):
    """A broken edge answers with HTML and not JSON."""
    _arm(client, mode="html")
    answer = client.get("/x")
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")


def test_a_hanging_server_never_answers(client):
    """A hang ends only by the client's own time-out."""
    _arm(client, mode="hang")
    with pytest.raises(httpx.ReadTimeout):
        client.get("/x")
    assert client.get("/x").status_code == 200


def test_a_cut_answer_breaks_off_after_the_request_took_effect(client):
    """A cut connection is an error to the client, never a short answer taken for whole."""
    _arm(client, mode="cut")
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/x")


def test_a_path_pattern_spares_the_others(client):
    """A fault with a path leaves other paths alone and stays armed for its own."""
    _arm(client, mode="500", path="^/broken")
    assert client.get("/fine").status_code == 200
    assert client.get("/broken/1").status_code == 500


def test_cleared_faults_are_gone(client):
    """Clearing disarms everything."""
    _arm(client, mode="500", times=100)
    client.delete("/_sandbox/faults")
    assert client.get("/x").status_code == 200


def test_requests_are_counted_and_of_callers_what_was_not_refused(client):
    """Counts tell methods and paths apart and leave the sandbox's own calls out."""
    _arm(client, mode="503")
    for method in ("GET", "GET", "POST"):
        client.request(method, "/pulls")
    counted = client.get("/_sandbox/requests").json()
    assert counted["requests"] == {"GET /pulls": 2, "POST /pulls": 1}
    assert counted["callers"] == {"python-httpx": 2}


@pytest.mark.parametrize(
    "body", [{"mode": "418"}, {"mode": "500", "path": "("}, {"mode": "500", "x": 1}]
)
def test_a_fault_that_makes_no_sense_is_refused(client, body):
    """A misspelt fault is refused, so that a test cannot pass without its fault."""
    assert client.post("/_sandbox/faults", json=body).status_code == 422
