"""Dockerfiles: within bounds, and some instructions only when the plan names the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from autofix.change.gate.commands import find_danger
from autofix.change.gate.edits import Edit, denial, listed
from autofix.change.gate.options import GateOptions
from autofix.models import Denial

_PLANNED = {"RUN", "ENTRYPOINT", "VOLUME", "FROM", "ADD", "STOPSIGNAL"}
"""Instructions that change only when the plan names the file."""
_NEVER = {"ONBUILD", "SHELL", "MAINTAINER"}
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_VARIABLE = re.compile(r"\$\{?(\w+)(?::?[-+][^}]*)?\}?")
_RUN_FLAGS = re.compile(r"--(?:security|network)=|--mount=\S*type=(?:secret|ssh)")
_ROOT = re.compile(r"(?i)^[\"']?(?:root|0)[\"']?(?::|$)")
_VARIABLES = re.compile(
    r"(?i)^(?:LD_\w+|PATH|PYTHON(?:PATH|STARTUP|HOME|HTTPSVERIFY)|PERL5\w+|RUBYOPT|RUBYLIB|BASH_ENV|ENV|"
    r"PROMPT_COMMAND|(?:PIP|UV)_\w*(?:INDEX|TRUSTED|FIND_LINKS)\w*|NPM_CONFIG_\w*|YARN_\w*REGISTRY\w*|"
    r"NODE_TLS_REJECT_UNAUTHORIZED|NODE_EXTRA_CA_CERTS|GIT_SSL\w*|GOPROXY|GOFLAGS|GONOSUM\w*|GOINSECURE|"
    r"GOPRIVATE|SSL_CERT\w*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|\w+_proxy|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|"
    r"CLASSPATH|DOTNET_STARTUP_HOOKS|\w*(?:PASSWORD|SECRET|TOKEN|API_KEY|PRIVATE_KEY)\w*)$"
)
_NODE_HOOK = re.compile(
    r"--(?:require|import|loader|experimental-loader|inspect\S*|eval)\b|(?:^|\s)-[re]\s"
)


class Instruction(NamedTuple):
    """One instruction on one line."""

    name: str
    rest: str


def is_dockerfile(path: str) -> bool:
    """By its name, as builders look for it."""
    name = PurePosixPath(path).name.lower()
    return (
        name in {"dockerfile", "containerfile"}
        or name.startswith(("dockerfile.", "containerfile."))
        or name.endswith((".dockerfile", ".containerfile"))
    )


def judge_dockerfile(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    """One Dockerfile."""
    planned = options.plans(edit.path)
    if (edit.is_new or edit.is_deleted) and not planned:
        how = "added" if edit.is_new else "deleted"
        reason = f"It is {how}, and the plan does not name it."
        yield denial("dockerfile", edit.path, reason)
    if edit.is_deleted:
        return
    old, new = read_instructions(edit.old_lines), read_instructions(edit.new_lines)
    for reason in dict.fromkeys(_problems(old, new, planned=planned)):
        yield denial("dockerfile", edit.path, reason)


def _problems(
    old: Sequence[Instruction], new: Sequence[Instruction], *, planned: bool
) -> Iterator[str]:
    added = list((Counter(new) - Counter(old)).elements())
    removed = list((Counter(old) - Counter(new)).elements())
    yield from _image_problems(old, new)
    if _last_user(old) and not _last_user(new):
        yield "It no longer names the user it runs as."
    for instruction in added:
        yield from _added_problems(instruction)
    if not planned:
        touched = {i.name for i in (*added, *removed)} & _PLANNED
        if touched:
            yield f"{listed(sorted(touched))} change only when the plan names this file."


def _added_problems(instruction: Instruction) -> Iterator[str]:
    name, rest = instruction
    if name in _NEVER or name.startswith("#"):
        yield f"{name} is not published."
    if name == "USER" and _ROOT.match(rest):
        yield "It runs as root."
    if name == "ADD" and re.search(r"(?i)\b(?:https?|git|ssh)://|git@", rest):
        yield "It adds a file from the network."
    if name == "RUN" and _RUN_FLAGS.search(rest):
        yield "It runs with secrets, another network or fewer bounds."
    if name in {"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"} and (danger := find_danger(rest)):
        yield f"It {danger}."
    if name in {"ENV", "ARG"}:
        bad = [key for key, value in _settings(rest) if _is_bad_setting(key, value)]
        if bad:
            yield f"It sets {listed(bad)}."


def _image_problems(old: Sequence[Instruction], new: Sequence[Instruction]) -> Iterator[str]:
    known = {_repository(image) for image in _images(old)}
    for image in _images(new):
        repository = _repository(image)
        if known and repository not in known:
            yield f"It builds on another image: {image[:100]}."
        elif not known and "/" in repository:
            yield f"It builds on an image that is not one of Docker's official ones: {image[:100]}."


def _images(instructions: Sequence[Instruction]) -> list[str]:
    """Images from outside, with the defaults of arguments put in."""
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    found = []
    for name, rest in instructions:
        words = [word for word in rest.split() if not word.startswith("--")]
        if name == "ARG":
            arguments.update(_settings(rest))
        elif name == "FROM" and words:
            image = _fill_in(words[0], arguments)
            if image.lower() not in stages | {"scratch"}:
                found.append(image)
            if len(words) > 2 and words[1].upper() == "AS":  # noqa: PLR2004
                stages.add(words[2].lower())
        elif name in {"COPY", "RUN"}:
            for source in re.findall(r"(?:--from=|[,\s]from=)([^\s,]+)", rest):
                image = _fill_in(source, arguments)
                if not image.isdigit() and image.lower() not in stages:
                    found.append(image)
    return found


def _fill_in(text: str, arguments: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: arguments.get(m[1], m[0]), text)


def _repository(image: str) -> str:
    """Registry and name, without tag and digest."""
    bare = image.partition("@")[0]
    head, slash, last = bare.rpartition("/")
    bare = f"{head}{slash}{last.partition(':')[0]}"
    return bare.removeprefix("docker.io/").removeprefix("library/").lower()


def _last_user(instructions: Sequence[Instruction]) -> str:
    users = [i.rest for i in instructions if i.name in {"USER", "FROM"}]
    last = next((i for i in reversed(instructions) if i.name in {"USER", "FROM"}), None)
    return users[-1] if users and last and last.name == "USER" else ""


def _settings(rest: str) -> list[tuple[str, str]]:
    pairs = re.findall(r"(\w+)=(\"(?:\\.|[^\"\\])*\"|'[^']*'|\S*)", rest)
    if pairs:
        return [(key, value.strip("\"'")) for key, value in pairs]
    key, _, value = rest.partition(" ")
    return [(key, value.strip())] if key else []


def _is_bad_setting(key: str, value: str) -> bool:
    if key.upper() == "NODE_OPTIONS":
        return bool(_NODE_HOOK.search(value))
    return bool(_VARIABLES.match(key))


def read_instructions(lines: Sequence[str]) -> list[Instruction]:
    """The instructions, continued lines joined and here-documents taken along."""
    found: list[Instruction] = []
    pending, marks = "", list[str]()
    for line in lines:
        if marks:
            found[-1] = Instruction(found[-1].name, f"{found[-1].rest}\n{line}")
            if line.strip() == marks[0]:
                marks.pop(0)
            continue
        stripped = line.strip()
        if stripped.startswith("#"):
            if not found and re.match(r"(?i)#\s*(?:syntax|escape|check)\s*=", stripped):
                found.append(Instruction("# directive", stripped))
            continue
        pending += f" {stripped.removesuffix(chr(92)).strip()}"
        if stripped.endswith("\\") or not pending.strip():
            continue
        name, _, rest = pending.strip().partition(" ")
        found.append(Instruction(name.upper(), " ".join(rest.split())))
        marks = _HEREDOC.findall(rest) if name.upper() in {"RUN", "COPY", "ADD"} else []
        pending = ""
    if pending.strip():
        name, _, rest = pending.strip().partition(" ")
        found.append(Instruction(name.upper(), " ".join(rest.split())))
    return found
