"""Shells around `autofix.plan`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from autofix.change.ids import fix_id
from autofix.models import PlanResult, ServiceContext
from autofix.parameters import Caps
from autofix.plan.planner import LangChainPlanner
from autofix.plan.policy import PolicyResult, judge_plan
from autofix.plan.prompt import PROMPT_VERSION, render_prompt
from autofix.plan.spending import Prices
from autofix.plan.writing import write_plan as ask_for_plan
from autofix.redact import redact_model, redactor
from autofix.redact.fence import make_nonce
from autofix.settings import load_settings
from tasks.guard import guarded
from tasks.options import LONG, OWN, make_key
from tasks.spending import Ledger


def _fix_id(contexts: Sequence[ServiceContext]) -> str:
    return fix_id(context.incident.work_id for context in contexts)


def _digest(contexts: list[ServiceContext], architecture: str) -> str:
    texts = [context.model_dump_json() for context in contexts]
    return hashlib.sha256("\0".join([*texts, architecture]).encode()).hexdigest()


def _key(_: object, arguments: dict[str, Any]) -> str:
    contexts = arguments["contexts"]
    return make_key(
        "plan",
        _fix_id(contexts),
        _digest(contexts, arguments["architecture"]),
        PROMPT_VERSION,
        load_settings().autofix_model,
    )


@task(
    name="write plan",
    task_run_name="write plan for {repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key,
    **LONG,
)
@guarded
def write_plan(
    repository: str, contexts: list[ServiceContext], architecture: str, caps: Caps
) -> PlanResult:
    """One plan for one fix id and evidence digest, whichever run asks; what it cost is on the run."""
    settings = load_settings()
    door = redactor(settings)
    prompt = render_prompt(
        repository,
        door(architecture),
        contexts,
        # the same fix and evidence give the same prompt; nobody outside can know it beforehand
        nonce=fence_nonce(settings.secret_values(), contexts),
        max_tokens=caps.plan_input_tokens,
    )
    run_id = flow_run.get_id()
    assert run_id is not None  # noqa: S101 - a task of a flow
    ledger = Ledger(run_id, caps)
    result = ask_for_plan(
        LangChainPlanner(settings, output_tokens=caps.plan_output_tokens),
        prompt,
        contexts,
        caps,
        prices=Prices(settings.autofix_price_input, settings.autofix_price_output),
        reserve=ledger.reserve,
        settle=ledger.settle,
    )
    return redact_model(result, door)


@task(
    name="judge plan",
    task_run_name="judge plan for {repository}",
    cache_policy=NO_CACHE,
    **OWN,
)
@guarded
def check_plan(
    repository: str,  # noqa: ARG001 - names the run
    plan: PlanResult,
    contexts: list[ServiceContext],
    caps: Caps,
) -> PolicyResult:
    """May this plan go on to an agent?"""
    return judge_plan(plan.plan, contexts, minimum_confidence=caps.minimum_confidence)


def fence_nonce(secrets: Sequence[str], contexts: Sequence[ServiceContext]) -> str:
    """Text in each fence line that nobody outside can know, the same for the same evidence."""
    return make_nonce(secrets, *(context.model_dump_json() for context in contexts))
