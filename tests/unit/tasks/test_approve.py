from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from autofix.models import ServiceContext
from tasks.approve import ASKED, Approval, ask_for_approval, bound_fix
from tasks.fix import prepare_fix
from tests.unit.plan.test_render import result as make_result


@pytest.fixture
def contexts(
    make_context: Callable[..., ServiceContext], make_service: Callable[..., Any]
) -> list[ServiceContext]:
    service = make_service(root_directory="services/billing", watch_patterns=("/packages/**",))
    return [make_context(service=service)]


class Person:
    """Answers one form after the other; `asked` are the forms and their keys."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[type[Approval], str]] = []

    def __call__(self, *, wait_for_input: type[Approval], timeout: int, key: str) -> Approval:
        assert timeout > 0
        self.asked.append((wait_for_input, key))
        return wait_for_input(**self.answers.pop(0))


def test_the_form_shows_the_plan_and_what_may_change(contexts: list[ServiceContext]) -> None:
    """Decided is nothing beforehand: a run that is resumed without an answer is not approved."""
    person = Person({"decision": "approve"})
    fix = prepare_fix("acme/mono", contexts)
    answer = ask_for_approval(fix, make_result(), contexts, suspend=person)
    ((form, key),) = person.asked
    assert "## What to do" in str(form._description)
    assert form.model_json_schema()["required"] == ["decision"]
    assert answer.allowed == ["services/billing", "/packages/**"]
    assert key == f"plan-{fix.fix_id}-0"
    assert bound_fix(fix, answer, contexts) == fix, "left as it was"


def test_what_a_person_allows_bounds_the_fix(contexts: list[ServiceContext]) -> None:
    """One file in place of the folder; empty lines are nothing."""
    person = Person({"decision": "approve", "allowed": [" services/billing/app.py ", ""]})
    fix = prepare_fix("acme/mono", contexts)
    answer = ask_for_approval(fix, make_result(), contexts, suspend=person)
    assert bound_fix(fix, answer, contexts).allowed == ("services/billing/app.py",)


def test_a_folder_outside_the_repository_is_asked_about_again(
    contexts: list[ServiceContext],
) -> None:
    """The form says which; each form has a key of its own, so that answers are found again."""
    stray = {"decision": "approve", "allowed": ["app.py", "../other"]}
    person = Person(stray, {"decision": "decline", "allowed": ["../x"], "reason": "no"})
    fix = prepare_fix("acme/mono", contexts)
    assert ask_for_approval(fix, make_result(), contexts, suspend=person).decision == "decline"
    assert "`../other` is not below the root" in str(person.asked[1][0]._description)
    assert len({key for _, key in person.asked}) == 2
    stubborn = Person(*[stray] * ASKED)
    with pytest.raises(Exception, match=r"\.\./other"):
        ask_for_approval(fix, make_result(), contexts, suspend=stubborn)
    assert len(stubborn.asked) == ASKED
