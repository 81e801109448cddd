"""The rehearsal model drives the real OpenCode binary to a commit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sandbox.model.app import build_app
from tests.sandbox.serving import serve
from tests.unit.rehearsal.test_agent import clone_service, write_prompt

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "opencode" / "node_modules" / ".bin" / "opencode"


def _environment(address: str, home: Path) -> dict[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Lab",
        "options": {"baseURL": f"{address}/v1", "apiKey": "k"},
        "models": {"m": {"tool_call": True, "limit": {"context": 128_000, "output": 8_192}}},
    }
    config = {
        "model": "lab/m",
        "small_model": "lab/m",
        "share": "disabled",
        "autoupdate": False,
        "snapshot": False,
        "enabled_providers": ["lab"],
        "provider": {"lab": provider},
        "permission": {"external_directory": "deny", "doom_loop": "deny", "question": "deny"},
    }
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "OPENCODE_CONFIG_CONTENT": json.dumps(config),
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }


@pytest.mark.e2e
@pytest.mark.skipif(not BINARY.exists(), reason="OpenCode is installed by make setup")
@pytest.mark.timeout(90)
def test_opencode_ends_in_a_commit(tmp_path):
    """With real tool calls the agent repairs the clone, tests it and commits."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    clone = clone_service("catalog-api", work / "clone")
    (work / "prompt.md").write_text(write_prompt("catalog-api"))
    with serve(build_app()) as address:
        done = subprocess.run(
            [str(BINARY), "run", "--title", "Repair", (work / "prompt.md").read_text()],
            cwd=work,
            env=_environment(address, home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=80,
            check=False,
        )
    assert "rehearsal model (scripted)" in done.stdout, done.stderr[-2_000:]
    git = ["git", "-C", str(clone)]
    log = subprocess.run([*git, "log", "--format=%s"], capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 2
    status = subprocess.run([*git, "status", "-s"], capture_output=True, text=True, check=True)
    assert status.stdout == ""
