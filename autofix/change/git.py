"""The git binary, run so that neither the machine nor a repository can steer it.

No system or global configuration, no hooks, no prompt, only the protocols a call names, a time
limit on each call. A token travels in the environment, never in arguments, URLs or messages.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from autofix.errors import GitError

_PASSED_ON = ("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
_REASON_CAP = 300
_HARDENED = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "attr.tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",  # git's empty tree
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
FSCK = {"fetch.fsckObjects": "true"}
"""Configuration that refuses malformed objects; for what comes from an agent."""


def run_git(
    *args: str,
    cwd: Path,
    config: Mapping[str, str] | None = None,
    protocols: Sequence[str] = (),
    timeout: float = 120,
) -> bytes:
    """Standard output of one git command.

    Args:
        args: the command and its arguments.
        cwd: where it runs.
        config: configuration for this call, e.g. `token_config`; passed by environment.
        protocols: transports it may use: ``https``, ``http``, ``file``.
        timeout: seconds until it is killed with its children.

    Raises:
        GitError: it refused, was not there, or took too long; the message is one short line.
    """
    allowed = {f"protocol.{name}.allow": "always" for name in protocols}
    environment = _environment({**_HARDENED, **allowed, **(config or {})})
    try:
        process = subprocess.Popen(
            ["git", *args],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"git could not be started: {error.strerror}") from error
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            # its helpers hold the pipes too, so the whole group has to go
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise GitError(f"git {args[0]} took longer than {timeout:g} s") from error
    if process.returncode:
        raise GitError(f"git {args[0]} failed: {_reason(err, process.returncode)}")
    return out


def token_config(url: str, token: SecretStr | None) -> dict[str, str]:
    """Configuration that sends this token to this address and to no other."""
    if token is None or not url.startswith(("https://", "http://")):
        return {}
    value = base64.b64encode(f"x-access-token:{token.get_secret_value()}".encode()).decode()
    return {f"http.{url.rstrip('/')}/.extraHeader": f"Authorization: Basic {value}"}


def protocol_of(url: str) -> tuple[str, ...]:
    """The protocol this address needs: https, http, or file for a local one."""
    scheme = url.partition("://")[0] if "://" in url else "file"
    if scheme not in {"https", "http", "file"}:
        raise GitError(f"{scheme} is not a protocol that is used here")
    return (scheme,)


def _environment(config: Mapping[str, str]) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "LC_ALL": "C.UTF-8",
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for number, (key, value) in enumerate(config.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _reason(stderr: bytes, status: int) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", " !"))]
    return (" · ".join((telling or lines)[-3:]) or f"exit status {status}")[:_REASON_CAP]
