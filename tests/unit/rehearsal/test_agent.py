"""The rehearsal model as coding agent, on the services it is meant to repair."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autofix.change.prompt import render_prompt
from autofix.models import FixPlan
from sandbox.model.agent import SIGNATURE, UNKNOWN
from sandbox.model.app import build_app
from sandbox.model.evidence import parse_reports
from sandbox.model.planner import build_plan
from tests.sandbox.agent_driver import Driver
from tests.sandbox.serving import serve

SERVICES = Path(__file__).resolve().parents[3] / "sandbox" / "services"
EVIDENCE = {
    "billing-api": (
        (
            'Traceback (most recent call last):\n  File "/usr/lib/python3.11/socketserver.py", line 691, '
            "in process_request_thread\n    self.finish_request(request, client_address)\n"
            '  File "/srv/app.py", line 43, in invoice_total\n'
            '    discount = net * DISCOUNTS[customer["id"]]["percent"] // 100\n'
            "                     ~~~~~~~~~^^^^^^^^^^^^^^^^\nKeyError: 19"
        ),
    ),
    "catalog-api": (
        "error Container killed: memory limit exceeded",
        "info retained=412 views, 52.7 MB\ninfo retained=432 views, 55.2 MB",
    ),
    "orders-web": (
        (
            "page=orders customer=12 queries=41 db_ms=1790 status=200\n"
            "page=orders customer=9 queries=87 database: timeout: no answer within 3 s"
        ),
    ),
}
CHANGED = {
    "billing-api": (
        'DISCOUNTS[customer["id"]]["percent"]',
        'net * DISCOUNTS.get(customer["id"], {"percent": 0})["percent"] // 100',
    ),
    "catalog-api": ("RECENT_VIEWS = []", "RECENT_VIEWS = deque(maxlen=STRIP_LENGTH)"),
    "orders-web": (
        'order["items"] = database.query(',
        '" WHERE order_id IN (SELECT id FROM orders WHERE customer_id = ?) ORDER BY id"',
    ),
}

FILES = {"orders-web": ["app.py", "schema.sql", "test_app.py"]}


def clone_service(name: str, clone: Path, *, folder: str = ".") -> Path:
    """A git clone that holds the service's source."""
    shutil.copytree(SERVICES / name, clone / folder, ignore=shutil.ignore_patterns("__pycache__"))
    _git(clone, "init", "--quiet", "--initial-branch=main")
    _git(clone, "config", "user.name", "Someone")
    _git(clone, "config", "user.email", "someone@example.com")
    _git(clone, "add", "--all")
    _git(clone, "commit", "--quiet", "--message", "Import")
    return clone


def write_prompt(name: str, *, service: str = "alpha", folder: str = ".") -> str:
    """The product's prompt for the plan that is made from the service's evidence."""
    items = (
        f"[E{n}] deployment log · 2026-11-24T14:00:00Z \u2013 2026-11-24T14:02:00Z\nwhy: logs\n{text}\n"
        for n, text in enumerate(EVIDENCE[name], 1)
    )
    evidence = f"### Service {service}\n\n" + "\n".join(items)
    plan = FixPlan.model_validate(build_plan(parse_reports(evidence)))
    prompt = render_prompt(
        plan, "", evidence, repository=f"acme/{service}", service_folders=[folder]
    )
    return re.sub(r"^Clone: .*$", "Clone: clone", prompt, count=1, flags=re.MULTILINE)


def _git(clone: Path, *arguments: str) -> str:
    command = ["git", "-C", str(clone), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _tests_pass(folder: Path) -> bool:
    command = [sys.executable, "-B", "-m", "unittest"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def address():
    with serve(build_app()) as address:
        yield f"{address}/v1"


@pytest.mark.parametrize("name", sorted(EVIDENCE))
def test_a_service_is_repaired_tested_and_committed(address, tmp_path, name):
    """Todo list, tests before, edit, tests after, commit; the new test fails on the old code."""
    clone = clone_service(name, tmp_path / "clone")
    old_source = (clone / "app.py").read_text()
    driver = Driver(address, tmp_path)
    closing = driver.run(write_prompt(name))
    assert closing.endswith(SIGNATURE)
    assert "pass after it" in closing
    assert driver.calls[0][0] == "todowrite"
    assert [todo["status"] for todo in driver.todos[0]][:2] == ["in_progress", "pending"]
    assert {todo["status"] for todo in driver.todos[-1]} == {"completed"}
    runs = [r for (_, a), r in zip(driver.calls, driver.results, strict=True)
            if "unittest" in a.get("command", "")]  # fmt: skip
    assert [run.count("exit=0") for run in runs] == [1, 1]
    assert _git(clone, "log", "--format=%an").split() == ["Someone", "Someone"]
    assert _git(clone, "status", "--short") == ""
    changed = _git(clone, "diff", "--name-only", "HEAD~1").split()
    assert changed == FILES.get(name, ["app.py", "test_app.py"])
    gone, come = CHANGED[name]
    new_source = (clone / "app.py").read_text()
    assert gone in old_source
    assert gone not in new_source
    assert come in new_source
    assert _tests_pass(clone)
    (clone / "app.py").write_text(old_source)
    assert not _tests_pass(clone)


@pytest.mark.parametrize("name", sorted(EVIDENCE))
def test_a_service_in_a_folder_of_its_repository_is_repaired(address, tmp_path, name):
    """Nothing depends on where the service lies."""
    clone = clone_service(name, tmp_path / "clone", folder="services/one")
    Driver(address, tmp_path).run(write_prompt(name, folder="services/one"))
    changed = _git(clone, "diff", "--name-only", "HEAD~1").split()
    files = FILES.get(name, ["app.py", "test_app.py"])
    assert changed == [f"services/one/{file}" for file in files]


@pytest.mark.parametrize("name", sorted(EVIDENCE))
def test_names_decide_nothing(address, tmp_path, name):
    """The same steps are taken whatever the service and its repository are called."""
    calls = []
    for service in (name, "weather"):
        folder = tmp_path / service
        clone_service(name, folder / "clone")
        driver = Driver(address, folder)
        driver.run(write_prompt(name, service=service))
        calls.append(repr(driver.calls).replace(service, "NAME"))
    assert calls[0] == calls[1]


def test_a_plan_without_a_known_cause_changes_nothing(address, tmp_path):
    """A service's name, its code and a list of steps are no cause."""
    clone = clone_service("catalog-api", tmp_path / "clone")
    driver = Driver(address, tmp_path)
    prompt = "Repository: acme/catalog-api\nClone: clone\n\n## Fix steps\n\n1. Repair it\n"
    assert driver.run(prompt) == UNKNOWN
    assert driver.calls == []
    assert _git(clone, "log", "--format=%s") == "Import\n"


def test_logs_name_no_cause(address, tmp_path):
    """What stands below the plan as evidence is not taken for the plan."""
    clone_service("billing-api", tmp_path / "clone")
    steps = "Clone: clone\n\n## Fix steps\n\n1. Repair it\n\n## Evidence\n\n"
    log = "an unhandled KeyError: 19 in invoice_total (app.py, line 43), keeps every view"
    assert Driver(address, tmp_path).run(steps + log) == UNKNOWN


@pytest.mark.parametrize("name", sorted(EVIDENCE))
def test_code_that_does_not_show_the_cause_is_left_alone(address, tmp_path, name):
    """What the plan names must be in the code that was read; else nothing is changed."""
    clone = clone_service(name, tmp_path / "clone")
    (clone / "app.py").write_text("VIEWS = [1]\nfor row in VIEWS:\n    print(row)\n")
    (clone / "test_app.py").write_text("import unittest\n")
    driver = Driver(address, tmp_path)
    closing = driver.run(write_prompt(name))
    assert "changed nothing" in closing
    assert not [call for call, _ in driver.calls if call == "edit"]


def test_red_tests_after_the_edit_are_said_and_not_committed(address, tmp_path):
    """A fix that breaks a test is not committed."""
    clone = clone_service("catalog-api", tmp_path / "clone")
    tests = clone / "test_app.py"
    broken = "        self.assertIsInstance(app.RECENT_VIEWS, list)\n"
    marker = "    def test_unknown_product_has_no_page(self):\n"
    tests.write_text(tests.read_text().replace(marker, marker + broken))
    closing = Driver(address, tmp_path).run(write_prompt("catalog-api"))
    assert "did not commit" in closing
    assert _git(clone, "log", "--format=%s") == "Import\n"


@pytest.mark.parametrize("name", sorted(EVIDENCE))
def test_a_turn_that_was_cut_goes_on(address, tmp_path, name):
    """Whichever results are lost once, it comes to the same single commit."""

    class Cut(Driver):
        def carry_out(self, name, arguments):
            first = (name, arguments) not in self.calls
            result = super().carry_out(name, arguments)
            return "[Tool execution was interrupted]" if first else result

    clone = clone_service(name, tmp_path / "clone")
    closing = Cut(address, tmp_path).run(write_prompt(name), most=80)
    assert "pass after it" in closing
    assert len(_git(clone, "log", "--format=%s").splitlines()) == 2
    assert _tests_pass(clone)
