"""The git binary, run so that neither the machine nor a repository can steer it.

No system or global configuration, no hooks, no prompt, only the protocols a call names, a time
limit on each call. A token travels in the environment, never in arguments, URLs or messages.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from autofix.errors import GitError

_PASSED_ON = ("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
_REASON_CAP = 300
_ERRORS_READ = 100_000
_CHUNK = 1 << 20
MAX_OUTPUT = 256 << 20
"""Bytes a command may print unless its caller says otherwise."""
_HARDENED = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "attr.tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",  # git's empty tree
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.commitGraph": "false",
    "core.multiPackIndex": "false",
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
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 120,
    max_output: int = MAX_OUTPUT,
) -> bytes:
    """Standard output of one git command.

    Args:
        args: the command and its arguments.
        cwd: where it runs.
        config: configuration for this call, e.g. `token_config`; passed by environment.
        protocols: transports it may use: ``https``, ``http``, ``file``.
        environment: more variables, e.g. which object folder to read.
        stdin: what it reads.
        timeout: seconds until it is killed with its children.
        max_output: bytes it may print.

    Raises:
        GitError: it refused, was not there, took too long or printed too much; the message is
            one short line.
    """
    variables = {
        **_environment({**_HARDENED, **(config or {})}),
        # unlike protocol.*.allow this cannot be loosened by a repository's own configuration
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        **(environment or {}),
    }
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                ["git", *args],
                cwd=cwd,
                env=variables,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise GitError(f"git could not be started: {error.strerror}") from error
        out = _watch(process, args[0], timeout, max_output)
        if process.returncode:
            errors.seek(0)
            reason = _reason(errors.read(_ERRORS_READ), process.returncode)
            raise GitError(f"git {args[0]} failed: {reason}")
    return out


def _watch(process: subprocess.Popen[bytes], name: str, timeout: float, max_output: int) -> bytes:
    """What it prints, until it ends or has to be ended."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(timeout, stop)
    timer.start()
    try:
        with process:
            assert process.stdout is not None  # noqa: S101 - a pipe, see above
            out = _read_capped(process.stdout, max_output)
            if out is None:
                _kill(process)
    finally:
        timer.cancel()
    if late.is_set():
        raise GitError(f"git {name} took longer than {timeout:g} s")
    if out is None:
        raise GitError(f"git {name} printed more than {max_output} bytes")
    return out


def _read_capped(stream: IO[bytes], cap: int) -> bytes | None:
    """Everything, or None as soon as there is more than `cap`."""
    out = bytearray()
    while chunk := stream.read(min(_CHUNK, cap + 1 - len(out))):
        out += chunk
        if len(out) > cap:
            return None
    return bytes(out)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With its helpers, which hold the pipes too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


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
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
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
