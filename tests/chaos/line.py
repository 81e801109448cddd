"""A warm world in which one incident after the other is made, killed at a point, and counted."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from flows.deploy import lost_runs
from sandbox.demo.prefect_api import FINAL
from sandbox.demo.processes import Processes
from sandbox.demo.stack import Stack
from sandbox.demo.world import World
from tests.chaos import KILLED

SERVICE = "billing-api"
REPOSITORY = f"acme/{SERVICE}"
HOOK = Path(__file__).parent / "hook"
FLOWS = ("monitor_project_health", "pull_service_context", "generate_fix", "verify_fix")
WINDOW: dict[str, float] = {"minutes": 1, "step_seconds": 5}
WARM_UP_SECONDS = 6
CASE_SECONDS = 480
"""How long one incident may take to its pull request, kills and reruns included."""
PERSON_SECONDS = 3
"""How long a person takes to see that a run ended: the worker reports a killed one twice within a
second, and the second report would end what was started in between."""
HEARTBEAT_SECONDS = 30
"""The shortest that Prefect allows; as in the product a run is lost after three of them."""
TICK_SECONDS = 2
"""How often the schedule ticks while a case goes on."""


@dataclass(frozen=True)
class Counts:
    """What was done in the world for one incident; a call that the endpoint refused is none."""

    planner_calls: int
    agent_calls: int
    sessions: int
    prompts: int
    branches: int
    pull_requests: int
    labels: int
    comments: int


class Line:
    """Everything running, with points in every process that runs a flow."""

    def __init__(
        self,
        root: Path,
        processes: Processes,
        *,
        healthy: tuple[str, ...] = ("catalog-api", "orders-web"),
    ) -> None:
        """Start all of it; what a killed process held is given away at once, not after a minute.

        Args:
            root: an empty folder.
            processes: starts and ends them.
            healthy: services that are deployed without their fault.
        """
        self.root = root
        self.chaos = root / "chaos"
        self.chaos.mkdir()
        self.processes = processes
        self.stack = Stack(
            root,
            processes,
            healthy=healthy,
            server=self._server(),
        )
        self.stack.start_base()
        self.model = self.stack.model()
        self.stack.start_agent(self.model)
        self.stack.deploy()
        self.stack.pause_schedules()
        self._http = httpx.Client(timeout=30, trust_env=False)
        self.start_worker()  # with which the pool gets its template
        self._start_engines_directly()
        self._miss_heartbeats_sooner()
        self.world = World(self.stack)
        self._ids = {flow: str(self.stack.prefect.deployment(flow)["id"]) for flow in FLOWS}
        self._begun = datetime.now(UTC).isoformat()
        self._n = 0

    def close(self) -> None:
        """Close the connections; the processes are ended by whoever started them."""
        self._http.close()
        self.world.close()
        self.stack.prefect.close()

    def start_worker(self) -> None:
        """The worker, whose children load the points."""
        more = {
            "PYTHONPATH": str(HOOK),
            "CHAOS_DIR": str(self.chaos),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        }
        self.stack.start_worker(self.model, more)

    # ---------------------------------------------------------------- one incident

    def begin(self) -> None:
        """A fresh incident: another commit deployed, no record, no pull request, counters at zero."""
        self._clear_points()
        self._forget()
        self._cancel_open_runs()
        self._push_commit()
        self._sessions_before = self._sessions()
        for name in ("model", "forge"):
            self._http.delete(f"{self.stack.world['addresses'][name]}/_sandbox/requests")

    def plan(self, point: str, victim: str) -> None:
        """Who is killed at which point."""
        (self.chaos / "plans" / point.replace("/", "|")).write_text(victim)

    def tick(self) -> str:
        """A run of the monitor, as the schedule starts one."""
        self._n += 1
        parameters = {"window": WINDOW, "services": {"include": [SERVICE]}}
        return self.stack.prefect.start(self._ids[FLOWS[0]], f"tick {self._n}", parameters)

    def prepare_verification(self) -> None:
        """The open pull request merged and live for long enough."""
        self.world.merge(SERVICE)
        deadline = time.monotonic() + 60
        while not self.world.merge_is_live(SERVICE):
            assert time.monotonic() < deadline, "the merge was not deployed"
            time.sleep(0.3)
        time.sleep(60 * WINDOW["minutes"] + WARM_UP_SECONDS + 5)

    def forget_outcome(self) -> None:
        """No comment and no outcome on any pull request; no plan and no point."""
        self._clear_points()
        self.world.forget(SERVICE, only_outcomes=True)

    def outcomes(self) -> tuple[int, int]:
        """Comments and outcome labels on the newest pull request."""
        pull = self.world.pull_requests(SERVICE)[0]
        labels = [label["name"] for label in pull["labels"] if label["name"] != "autofix"]
        return len(self.world.comments(SERVICE, pull["number"])), len(labels)

    def verify(self) -> str:
        """A run of the verification."""
        self._n += 1
        parameters = {
            "window": WINDOW,
            "verification": {"warm_up_minutes": WARM_UP_SECONDS / 60, "min_requests": 100},
        }
        return self.stack.prefect.start(self._ids[FLOWS[3]], f"verify {self._n}", parameters)

    def points(self) -> list[str]:
        """Every point that was reached since `begin`."""
        log = self.chaos / "points.log"
        return log.read_text().splitlines() if log.exists() else []

    def missed(self) -> list[str]:
        """Points that were planned and not reached so far."""
        return [file.name.replace("|", "/") for file in (self.chaos / "plans").iterdir()]

    def rerun_as_person(self) -> bool:
        """The UI's retry of every run that ended badly; whether there was one, also if too new."""
        bad = [run for run in self.runs() if run["state_type"] in {"CRASHED", "FAILED"}]
        for run in bad:
            ended = datetime.fromisoformat(run["state"]["timestamp"])
            if (datetime.now(UTC) - ended).total_seconds() > PERSON_SECONDS:
                state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
                self._post(f"/flow_runs/{run['id']}/set_state", {"state": state})
        return bool(bad)

    def runs(self, *flows: str) -> list[dict[str, Any]]:
        """Runs of these flows, or of all, that were created for this incident."""
        ids = [self._ids[flow] for flow in flows or FLOWS]
        found = self.stack.prefect.runs(*ids, since=self._begun)
        return [run for run in found if run["created"] >= self._begun]

    def is_at_rest(self) -> bool:
        """Whether no run of any flow goes on."""
        return all(run["state_type"] in FINAL for run in self.runs())

    def is_done(self) -> bool:
        """Whether a run that fixes has come to its end, and not only got as far as its effects."""
        return any(run["state_type"] == "COMPLETED" for run in self.runs(FLOWS[2]))

    def ends(self) -> list[str]:
        """How the fixes of this incident ended, and the agent's last words: for who looks for a why."""
        states = [run["state"] for run in self.runs(FLOWS[2])]
        said = [f"{state['name']}: {state['message']}" for state in states]
        for session in self._sessions() - self._sessions_before:
            messages = self._agent("GET", f"/session/{session}/message")
            texts = [part.get("text", "") for part in messages[-1]["parts"]] if messages else []
            said.append(f"agent: {' '.join(texts).strip()}")
        return said

    def counts(self) -> Counts:
        """What is in the world now."""
        model = self._requests("model")["callers"]
        pulls = self.world.pull_requests(SERVICE)
        sessions = [s for s in self._sessions() if s not in self._sessions_before]
        fixing = [s for s in sessions if self._is_fix(s)]
        return Counts(
            planner_calls=model.get("OpenAI", 0),
            agent_calls=sum(n for caller, n in model.items() if caller != "OpenAI"),
            sessions=len(fixing),
            prompts=sum(self._prompts(session) for session in fixing),
            branches=len(self._branches()),
            pull_requests=len(pulls),
            labels=sum(label["name"] == "autofix" for p in pulls for label in p["labels"]),
            comments=sum(len(self.world.comments(SERVICE, p["number"])) for p in pulls),
        )

    # ---------------------------------------------------------------- victims

    def kill(self, name: str) -> None:
        """kill -9 one of the long-running processes, with all it started."""
        self.processes.kill(name)
        if name == "prefect-worker":
            (self.chaos / KILLED).touch()

    def revive(self, name: str) -> None:
        """Start it again as it was."""
        match name:
            case "prefect-worker":
                self.start_worker()
            case "opencode":
                self.stack.start_agent(self.model)
            case "prefect-server":
                self.stack.start_server()
                self.processes.wait_until(name, self.stack.prefect.is_healthy, 120)

    def break_side(self, name: str, times: int) -> None:
        """The next answers of the forge or the model are 503."""
        address = self.stack.world["addresses"][name]
        fault = {"mode": "503", "times": times, "path": "^/(v1|repos)/"}
        self._http.post(f"{address}/_sandbox/faults", json=fault).raise_for_status()

    def mend_sides(self) -> None:
        """Everything answers again."""
        for name in ("forge", "model"):
            self._http.delete(f"{self.stack.world['addresses'][name]}/_sandbox/faults")

    # ---------------------------------------------------------------- inside

    def _server(self) -> dict[str, str]:
        return {
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "tests.chaos.leases",
            "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "1",
            "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
            "CHAOS_DIR": str(self.chaos),
        }

    def _start_engines_directly(self) -> None:
        """A run's process without the one that Prefect starts before it, to look for a workspace.

        Half of the suite's time is the start of processes.
        """
        pool = self._ask("GET", "/work_pools/autofix").json()
        template = pool["base_job_template"]
        command = f"{shlex.quote(sys.executable)} -m prefect.engine"
        template["variables"]["properties"]["command"]["default"] = command
        self._ask("PATCH", "/work_pools/autofix", json={"base_job_template": template})

    def _miss_heartbeats_sooner(self) -> None:
        """The product's automation for lost runs, by the heartbeats of the suite."""
        name = lost_runs().name
        (found,) = [one for one in self._post("/automations/filter", {}) if one["name"] == name]
        changed = {key: found[key] for key in ("name", "description", "enabled", "actions")}
        changed["trigger"] = {**found["trigger"], "within": 3 * HEARTBEAT_SECONDS}
        self._ask("PUT", f"/automations/{found['id']}", json=changed)

    def _push_commit(self) -> None:
        """A commit that changes nothing that runs, and its deployment: a new fingerprint."""
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            clone = Path(folder) / "clone"
            url = self.world.push_url(SERVICE)
            _git("clone", "--quiet", url, str(clone), cwd=Path(folder))
            (clone / "NOTES.md").write_text(f"{time.time_ns()}\n")
            _git("add", "--all", cwd=clone)
            _git("commit", "--quiet", "--message", "Note", cwd=clone)
            commit = _git("rev-parse", "HEAD", cwd=clone).strip()
            _git("push", "--quiet", "origin", "HEAD:main", cwd=clone)
        deadline = time.monotonic() + 60
        while self.world.live_commit(SERVICE) != commit:
            assert time.monotonic() < deadline, "the commit was not deployed"
            time.sleep(0.3)
        self._begun = datetime.now(UTC).isoformat()

    def _clear_points(self) -> None:
        shutil.rmtree(self.chaos)
        for folder in ("plans", "done"):
            (self.chaos / folder).mkdir(parents=True)

    def _forget(self) -> None:
        """No pull request, no branch, no incident record."""
        self.world.forget(SERVICE)
        found = self._post("/variables/filter", {"limit": 200})
        for variable in found:
            self._delete(f"/variables/{variable['id']}")

    def _cancel_open_runs(self) -> None:
        for run in self.runs():
            if run["state_type"] not in FINAL:
                state = {"type": "CANCELLED", "name": "Cancelled"}
                self._post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})

    def _branches(self) -> list[str]:
        url = f"{self.world.push_url(SERVICE)}"
        out = _git("ls-remote", "--heads", url, "autofix/*", cwd=self.root)
        return [line for line in out.splitlines() if line]

    def _sessions(self) -> set[str]:
        found = self._agent("GET", "/experimental/session")
        return {session["id"] for session in found}

    def _is_fix(self, session: str) -> bool:
        """The session that the agent works in, not the one for its shell."""
        return bool((self._agent("GET", f"/session/{session}").get("metadata") or {}).get("work"))

    def _prompts(self, session: str) -> int:
        messages = self._agent("GET", f"/session/{session}/message")
        return sum(message["info"]["role"] == "user" for message in messages)

    def _agent(self, method: str, path: str) -> Any:
        auth = ("opencode", self.stack.opencode_password)
        answer = self._http.request(method, f"{self.stack.opencode_url}{path}", auth=auth)
        return answer.raise_for_status().json()

    def _requests(self, name: str) -> dict[str, Any]:
        address = self.stack.world["addresses"][name]
        found: dict[str, Any] = self._http.get(f"{address}/_sandbox/requests").json()
        return found

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, json=body).json()

    def _delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Of the Prefect server, which is busy now and then, or dead and back."""
        for _ in range(30):
            try:
                url = f"{self.stack.prefect_url}/api{path}"
                answer = self._http.request(method, url, **content)
                gone = method == "DELETE" and answer.status_code == httpx.codes.NOT_FOUND
                if answer.status_code < 500:
                    return answer if gone else answer.raise_for_status()
            except httpx.TransportError:
                pass
            time.sleep(1)
        raise AssertionError(f"the Prefect server does not answer {path}")


def _git(*arguments: str, cwd: Path) -> str:
    who = ("-c", "user.name=Robin", "-c", "user.email=robin@acme.test")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=cwd, check=True, capture_output=True, text=True
    )
    return done.stdout
