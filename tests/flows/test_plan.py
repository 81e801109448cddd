"""One plan for one fix and evidence, whichever run asks, and what it cost counted on the runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.runtime import flow_run

from autofix.errors import BudgetExceeded
from autofix.models import EvidenceItem, PlanResult, ServiceContext
from autofix.parameters import Caps
from autofix.plan.spending import Spent
from sandbox.faults import Faults
from sandbox.model.app import build_app
from tasks.plan import write_plan
from tasks.spending import COST, OPENED, TOKENS, Ledger, require_room_today, spent_on
from tests.sandbox.serving import serve
from tests.unit.plan.test_planner import TRACEBACK

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@flow(name="generate_fix")
def planning(contexts: list[ServiceContext], caps: Caps) -> tuple[str, PlanResult]:
    plan = write_plan("acme/billing-api", contexts, "What runs.", caps)
    return str(flow_run.get_id()), plan


@flow(name="generate_fix")
def spending(tokens: int, cost: float, caps: Caps) -> str:
    run_id = str(flow_run.get_id())
    Ledger(run_id, caps).reserve(Spent(tokens=tokens, cost=cost))
    return run_id


@flow(name="generate_fix")
def opening(urls: list[str], caps: Caps) -> None:
    """What a fix does before it opens a pull request, and when it has."""
    run_id = UUID(flow_run.get_id())
    for url in urls:
        require_room_today(caps)
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(run_id, {OPENED: url})


@pytest.fixture
def forgotten() -> None:
    """No pull request was opened today; other tests that share the server open some."""
    with get_client(sync_client=True) as client:
        fixes = FlowFilter(name=FlowFilterName(any_=["generate_fix"]))
        for run in client.read_flow_runs(flow_filter=fixes):
            if run.labels.get(OPENED):  # to delete a run takes the server a second
                client.update_flow_run_labels(run.id, {OPENED: ""})


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serve(Faults(build_app(), "model")) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "test-key-1")
        monkeypatch.setenv("AUTOFIX_MODEL", "openai:rehearsal-scripted")
        yield url


@pytest.fixture
def context(make_context: Any, request: pytest.FixtureRequest) -> ServiceContext:
    found = make_context()
    item = EvidenceItem(**found.evidence[0].model_dump() | {"text": TRACEBACK})
    # each test has an incident of its own: plans are kept between runs
    incident = found.incident.model_copy(update={"fingerprint": request.node.name[-10:]})
    changed: ServiceContext = found.model_copy(update={"evidence": (item,), "incident": incident})
    return changed


def calls(endpoint: str) -> int:
    counts = httpx.get(f"{endpoint}/_sandbox/requests").json()["requests"]
    return sum(n for what, n in counts.items() if "/chat/completions" in what)


def labels(run_id: str) -> Spent:
    with get_client(sync_client=True) as client:
        return spent_on(client.read_flow_run(UUID(run_id)))


def test_the_same_fix_and_evidence_are_asked_about_once(
    endpoint: str, context: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run gets the first one's plan; other evidence is another question."""
    monkeypatch.setenv("AUTOFIX_PRICE_INPUT", "2")
    monkeypatch.setenv("AUTOFIX_PRICE_OUTPUT", "10")
    first, plan = planning([context], Caps())
    second, again = planning([context], Caps())
    assert (plan, calls(endpoint)) == (again, 1)
    assert plan.plan.answer == "fix"
    spent = labels(first)
    assert spent.tokens == plan.input_tokens + plan.output_tokens
    assert spent.cost == pytest.approx(plan.cost, abs=1e-5)
    assert labels(second) == Spent(), "what was found again cost nothing"
    more = context.evidence[0].model_copy(update={"text": f"{TRACEBACK}\nand more"})
    planning([context.model_copy(update={"evidence": (more,)})], Caps())
    assert calls(endpoint) == 2


def test_a_days_cap_stops_a_run_before_the_model_is_asked(
    endpoint: str, context: ServiceContext
) -> None:
    """It counts what other runs spent, ends with the cap's name, and takes back what it reserved."""
    spent = spending(580_000, 0.0, Caps(plan_tokens_per_day=10**9))
    assert labels(spent).tokens == 580_000
    with pytest.raises(BudgetExceeded, match=r"plan_tokens_per_day: .* of 600,000"):
        planning([context], Caps())
    assert calls(endpoint) == 0
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()
        every = [run.labels for run in runs if run.name and run.id != UUID(spent)]
        client.update_flow_run_labels(UUID(spent), {TOKENS: 0, COST: 0.0})
    assert all(found.get(TOKENS, 0) < 10_000 for found in every)


def test_an_endpoint_that_fails_costs_nothing(endpoint: str, context: ServiceContext) -> None:
    """Tried again by the outer layer, then given up; no reservation stays."""
    httpx.post(f"{endpoint}/_sandbox/faults", json={"mode": "401", "times": 9})
    state = planning([context], Caps(), return_state=True)
    assert state.is_failed()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert spent_on(run) == Spent()


@pytest.mark.usefixtures("forgotten")
def test_a_days_pull_requests_are_counted_over_all_runs() -> None:
    """The same one found again counts once; the next one beyond the cap is refused."""
    caps = Caps(pull_requests_per_day=2)
    opening(["https://forge.test/acme/a/pull/1"], caps)
    opening(["https://forge.test/acme/a/pull/1"], caps)
    opening(["https://forge.test/acme/b/pull/2"], caps)
    with pytest.raises(BudgetExceeded, match="pull_requests_per_day"):
        opening(["https://forge.test/acme/c/pull/3"], caps)
