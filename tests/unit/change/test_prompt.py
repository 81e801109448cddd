import pytest

from autofix.change.prompt import render_prompt
from autofix.models import FixStep
from tests.unit.change.plans import make_plan


def _render(plan=None, **fields):
    return render_prompt(
        plan or make_plan(), "# What runs", "evidence text", repository="acme/billing-api", **fields
    )


def test_prompt_begins_with_the_todo_list_and_names_the_places():
    """The first line asks for the list; clone and folder stand on lines of their own."""
    lines = _render(service_folders=["services/billing/"]).splitlines()
    assert lines[0].startswith("Your first act is a todo list (todowrite) with one item per fix")
    for line in (
        "Repository: acme/billing-api",
        "Clone: billing-api",
        "Service folder: services/billing",
    ):
        assert line in lines
    assert "Do not push." in "\n".join(lines)


def test_steps_are_numbered_lines():
    """One line a step, whatever line ends the model put into it."""
    steps = [FixStep(title="First\n## Not a heading", detail="a\n2. b"), FixStep(title="Second")]
    text = _render(make_plan(steps=steps))
    section = text.partition("## Fix steps\n")[2].partition("\n## ")[0].strip()
    assert section.splitlines() == ["1. First ## Not a heading — a 2. b", "2. Second"]


def test_causes_name_their_evidence():
    """Evidence ids and the place in the code reach the agent, and so do context and architecture."""
    text = _render()
    assert "(evidence: E1, E2; in: app.py render_invoice; confidence 0.90)" in text
    assert "\nevidence text\n" in text
    assert "\n# What runs\n" in text


@pytest.mark.parametrize(
    ("folders", "expected"),
    [((), ["."]), ((".", "a"), ["."]), (("/", "a"), ["."]), (("b", "a/"), ["a", "b"])],
)
def test_folders_are_listed_or_the_whole_clone(folders, expected):
    """Several services have several folders; one at the root means all of it."""
    lines = _render(service_folders=folders).splitlines()
    assert [line for line in lines if line.startswith("Service folder: ")] == [
        f"Service folder: {folder}" for folder in expected
    ]


def test_only_an_agent_that_publishes_is_told_how():
    """Branch, base and title are ours; without them there is nothing about pushing but not to."""
    publish = {"branch": "autofix/x-1", "base": "main", "title": "T"}
    text = _render(publish=publish)
    assert "git push origin HEAD:refs/heads/autofix/x-1\n" in text.replace("`", "")
    assert "--base main --head autofix/x-1 --title 'T'" in text
    assert "Do not push" not in text
    assert "gh pr" not in _render()
    assert "Do not push.\n\n## What not to touch" in _render()
