"""A plan and what became of it, for the tests of texts."""

from __future__ import annotations

from typing import Any

from autofix.models import (
    CommandRun,
    FileChange,
    FixPlan,
    FixStep,
    GateResult,
    PlanResult,
    RootCause,
    SessionEnd,
    SessionResult,
    Todo,
)


def make_plan(**fields: Any) -> FixPlan:
    defaults: dict[str, Any] = {
        "answer": "fix",
        "title": "Return invoices without a customer",
        "summary": "Since 14:05 UTC every invoice without a customer fails with `KeyError`.",
        "affected_services": ["billing-api"],
        "root_causes": [
            RootCause(
                service="billing-api",
                cause="`render_invoice` reads a field that may be missing.",
                evidence=["E1", "E2"],
                file="app.py",
                function="render_invoice",
                confidence=0.9,
            )
        ],
        "steps": [
            FixStep(title="Handle invoices without a customer", detail="Use a default."),
            FixStep(title="Add a regression test"),
        ],
        "files": ["app.py", "test_app.py"],
        "debugging": ["Request an invoice that has no customer."],
        "verification": ["5xx of billing-api below 1 % over 30 minutes."],
        "risks": ["Clients may expect a name."],
    }
    return FixPlan(**(defaults | fields))


def make_plan_result(model: str = "gpt-5", **fields: Any) -> PlanResult:
    return PlanResult(
        plan=make_plan(**fields), model=model, prompt_version="v1", input_tokens=900,
        output_tokens=120,
    )  # fmt: skip


def make_session(**fields: Any) -> SessionResult:
    defaults: dict[str, Any] = {
        "end": SessionEnd.completed,
        "session_id": "ses_1",
        "directory": "/home/agent/work/f1",
        "base": "a" * 40,
        "head": "b" * 40,
        "todos": (
            Todo(content="Handle invoices", status="completed"),
            Todo(content="Look at refunds too", status="pending"),
        ),
        "commands": (
            CommandRun(command="python3 -m unittest", exit_status=1),
            CommandRun(command="python3 -m unittest", exit_status=0),
            CommandRun(command="sleep 100", exit_status=None),
        ),
        "answer": "Fixed it.",
        "steps": 7,
        "input_tokens": 5_000,
        "output_tokens": 400,
        "model": "gpt-5-codex",
    }
    return SessionResult(**(defaults | fields))


def make_gate() -> GateResult:
    return GateResult(
        base="a" * 40,
        head="b" * 40,
        files=(
            FileChange(path="app.py", status="M", added=3, removed=1),
            FileChange(path="test_app.py", status="A", added=12, removed=0),
        ),
    )
