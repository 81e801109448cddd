from __future__ import annotations

from typing import Any

import pytest

from autofix.models import FixPlan, FixStep, RootCause
from autofix.plan.policy import allowed_places, is_inside, judge_plan


def make_plan(**fields: Any) -> FixPlan:
    cause = RootCause(
        service="billing-api", cause="A missing key", evidence=["E1"], file="app.py", confidence=0.9
    )
    defaults: dict[str, Any] = {
        "answer": "fix",
        "title": "Answer customers without a discount",
        "summary": "One route fails.",
        "affected_services": ["billing-api"],
        "root_causes": [cause],
        "steps": [FixStep(title="Handle it")],
        "files": ["app.py"],
    }
    return FixPlan(**(defaults | fields))


def test_a_sound_plan_is_allowed(make_context: Any) -> None:
    """Existing evidence, a known service and a file inside its folder."""
    assert judge_plan(make_plan(), [make_context()], minimum_confidence=0.5).allowed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evidence": ["E9"]}, "evidence that does not exist: E9"),
        ({"evidence": []}, "names no evidence"),
        ({"service": "search-api"}, "search-api is not one of the affected services"),
        ({"confidence": 0.2}, "confidence 0.20 is below the required 0.50"),
        ({"file": "../other/app.py"}, "../other/app.py is outside"),
    ],
)
def test_each_fault_of_a_root_cause_is_named(
    make_context: Any, change: dict[str, Any], reason: str
) -> None:
    """What speaks against a plan is said in a sentence."""
    cause = make_plan().root_causes[0].model_copy(update=change)
    result = judge_plan(make_plan(root_causes=[cause]), [make_context()], minimum_confidence=0.5)
    assert not result.allowed
    assert reason in "; ".join(result.reasons)


def test_a_plan_that_does_not_know_stops_with_what_is_missing(make_context: Any) -> None:
    """insufficient_evidence is an answer, and its reason is passed on."""
    plan = make_plan(answer="insufficient_evidence", missing="a stack trace")
    result = judge_plan(plan, [make_context()], minimum_confidence=0.5)
    assert result.reasons == ("the evidence shows no cause: a stack trace",)


def test_a_file_outside_the_services_folder_is_refused(
    make_context: Any, make_service: Any
) -> None:
    """In a monorepo only the affected service's folder may change."""
    context = make_context(service=make_service(root_directory="services/billing"))
    plan = make_plan(files=["services/other/app.py"], root_causes=make_plan().root_causes)
    reasons = judge_plan(plan, [context], minimum_confidence=0.5).reasons
    assert "services/other/app.py is outside the affected services' folders" in reasons


def test_a_cause_in_a_shared_package_is_repaired_where_the_service_watches_it(
    make_context: Any, make_service: Any
) -> None:
    """What a service is deployed for when it changes is its own; otherwise the plan stops at that."""
    cause = make_plan().root_causes[0].model_copy(update={"file": "packages/shared/money.py"})
    shared = make_plan(files=["packages/shared/money.py"], root_causes=[cause])
    folder = make_service(root_directory="services/billing")
    watches = folder.model_copy(
        update={"watch_patterns": ("/services/billing/**", "/packages/**", "!/packages/logs/**")}
    )
    assert judge_plan(shared, [make_context(service=watches)], minimum_confidence=0.5).allowed
    refused = judge_plan(shared, [make_context(service=folder)], minimum_confidence=0.5)
    assert refused.reasons == (
        "packages/shared/money.py is outside the affected services' folders",
    )
    taken_out = shared.model_copy(update={"files": ["packages/logs/a.py", "packages/../../etc/a"]})
    named = judge_plan(taken_out, [make_context(service=watches)], minimum_confidence=0.5).reasons
    assert len(named) == 2
    assert allowed_places([make_context(service=watches)]) == ("services/billing", "/packages/**")


@pytest.mark.parametrize(
    ("path", "roots", "inside"),
    [
        ("app.py", ("",), True),
        ("/etc/passwd", ("",), False),
        ("a/../../b", ("",), False),
        ("services/a/x.py", ("services/a",), True),
        ("services/ab/x.py", ("services/a",), False),
    ],
)
def test_paths_stay_inside(path: str, roots: tuple[str, ...], inside: bool) -> None:
    """Folders are compared part by part, and nothing climbs out."""
    assert is_inside(path, roots) is inside
