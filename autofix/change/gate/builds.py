"""Dockerfiles, infrastructure and build scripts: not at all, or only within stated bounds."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from autofix.change.gate.commands import find_danger
from autofix.change.gate.contents import PROSE
from autofix.change.gate.dockerfile import is_dockerfile, judge_dockerfile
from autofix.change.gate.edits import Edit, denial, listed
from autofix.change.gate.options import GateOptions
from autofix.change.gate.protected import is_lock_file
from autofix.models import Denial

_INFRASTRUCTURE = (
    "*.tf", "*.tf.json", "*.tfvars*", "*.hcl", "*.bicep", "*.bicepparam", "pulumi*.y*ml",
    "serverless*.y*ml", "serverless*.ts", "serverless*.json", "cdk.json", "samconfig.*",
    "chart.y*ml", "helmfile*.y*ml", "kustomization.y*ml", "skaffold.y*ml", "tiltfile",
    "vagrantfile", "ansible.cfg", "playbook*.y*ml", "*.pkr.json", "docker-bake.*", "copilot.y*ml",
    "*.nomad", "terragrunt*.hcl", "cloudformation*", "*.cfn.*", "inventory.ini", "*.jsonnet",
)  # fmt: skip
_INFRASTRUCTURE_FOLDERS = {
    "terraform", "helm", "k8s", "kubernetes", "ansible", "pulumi", "cloudformation",
    "kustomize", "argocd", "flux",
}  # fmt: skip
_DECLARATIVE = {".y", ".yml", ".yaml", ".json", ".j2", ".tpl", ".sh", ".cfg", ".ini", ".toml"}
_KUBERNETES = (re.compile(r"(?m)^apiVersion:\s*\S"), re.compile(r"(?m)^kind:\s*\S"))
_CLOUD = re.compile(r"AWSTemplateFormatVersion|AWS::Serverless|deploymentTemplate\.json#")
_PLATFORM = (
    "railway.json", "railway.toml", "nixpacks.toml", "railpack.json", "procfile*", "fly*.toml",
    "render.y*ml", "app.json", "heroku.y*ml", "vercel.json", "netlify.toml",
    "docker-compose*.y*ml", "compose*.y*ml", ".dockerignore", "project.toml", ".nvmrc",
    ".node-version", ".python-version", ".ruby-version", ".java-version", "runtime.txt",
    "system.properties", "aptfile", "wrangler.toml", "wrangler.json*", "firebase.json",
    "now.json", "dokku-*", "captain-definition", "ecosystem.config.*", "supervisord*.conf",
    "*.service", "*.socket", "*.timer", "crontab", "*.cron", "default.nix", "shell.nix", "flake.nix",
)  # fmt: skip
_BENIGN = re.compile(
    r"(?i)^(?:deploy\.)?(?:healthcheck(?:Path|Timeout)|restartPolicy(?:Type|MaxRetries)|overlapSeconds|drainingSeconds)$"
)
"""Keys of Railway's own file that a fix may set without being named for it."""
_COMPOSE_NEVER = re.compile(
    r"(?i)privileged\s*:\s*[\"']?true|network_mode\s*:\s*[\"']?host|\b(?:pid|ipc|userns_mode|uts)\s*:\s*[\"']?host"
    r"|cap_add\s*:|security_opt\s*:|docker\.sock|devices\s*:|^\s*-\s*[\"']?/(?:etc|root|proc|sys|var/run|home)?\s*[:/]"
    r"|extends\s*:|include\s*:|user\s*:\s*[\"']?(?:root|0)\b"
)
_IMAGE = re.compile(r"(?m)^\s*-?\s*image\s*:\s*[\"']?([^\s\"'#]+)")
_BUILD_SCRIPTS = (
    "makefile", "gnumakefile", "bsdmakefile", "makefile.*", "*.mk", "justfile", ".justfile",
    "taskfile*.y*ml", "rakefile", "*.rake", "noxfile.py", "setup.py", "build.rs", "cmakelists.txt",
    "*.cmake", "meson.build", "build.bazel", "workspace.bazel", "module.bazel",
    "earthfile", "gulpfile.*", "gruntfile.*", "jakefile*", "binding.gyp", "extconf.rb", "*.gemspec",
    "pom.xml", "build.gradle*", "settings.gradle*", "gradle.properties", "libs.versions.toml",
    "build.sbt", "project.clj", "deps.edn", "*.csproj", "*.fsproj", "*.vbproj", "*.props",
    "*.targets", "*.sln", "mix.exs", "rebar.config", "package.swift", "podfile", "cartfile",
    "pubspec.y*ml", "build.zig*", "build.xml", "environment.y*ml", "deno.json*", "import_map.json",
    "pavement.py", "fabfile.py", "sconstruct", "sconscript", "dodo.py", "conanfile.*",
    "vcpkg.json", "hatch_build.py", "configure", "configure.ac",
    "lerna.json", "nx.json", "turbo.json", "manifest.in", "stack.y*ml", "*.cabal", "dub.json",
    "shard.y*ml", "*.nimble", "*.opam", "dune-project", "bower.json",
)  # fmt: skip
_FETCHING = re.compile(
    r"(?i)<repositor(?:y|ies)>|\bmaven\s*\{|\brepositories\s*\{|<(?:packageSources|RestoreSources)>|\bhttps?://\S+\.git\b"
    r"|\bgit\s*[:=]\s*[\"']|\bsubprocess\b|\bos\.system\b|\burllib\b|\brequests\.get\b|\bexec\s*\(|\beval\s*\("
    r"|\bcmdclass\b|<Exec\b|\bProcess(?:Builder)?\b|exec\s*\{|\bRuntime\.getRuntime\b|<!\s*\(|execute_process\b"
)


def judge_builds(edits: Sequence[Edit], options: GateOptions) -> Iterator[Denial]:
    """Every file that decides how something is built, run or deployed, and every command."""
    for edit in edits:
        if is_dockerfile(edit.path):
            yield from judge_dockerfile(edit, options)
        elif _is_infrastructure(edit):
            reason = "The file describes infrastructure, which a fix does not change."
            yield denial("infrastructure", edit.path, reason)
        elif _is_named(edit, _PLATFORM):
            yield from _judge_platform(edit, options)
        elif _is_named(edit, _BUILD_SCRIPTS):
            yield from _judge_build_script(edit, options)
        yield from _judge_commands(edit)


def _judge_commands(edit: Edit) -> Iterator[Denial]:
    """Prose may tell people what to type; a lock file's lines are no commands."""
    if PurePosixPath(edit.path).suffix.lower() in PROSE or is_lock_file(edit.path):
        return
    danger = next((found for line in edit.added if (found := find_danger(line))), None)
    if danger and not is_dockerfile(edit.path):
        yield denial("command", edit.path, f"An added line {danger}.")


def _is_named(edit: Edit, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(edit.name.lower(), pattern) for pattern in patterns)


def _is_infrastructure(edit: Edit) -> bool:
    if _is_named(edit, _INFRASTRUCTURE):
        return True
    path = PurePosixPath(edit.path.lower())
    if path.suffix not in _DECLARATIVE:
        return False
    texts = (edit.old, edit.new or "")
    if path.suffix in {".yml", ".yaml"} and any(_is_kubernetes(text) for text in texts):
        return True
    return bool(_INFRASTRUCTURE_FOLDERS & set(path.parts[:-1])) or any(map(_CLOUD.search, texts))


def _is_kubernetes(text: str) -> bool:
    return all(mark.search(text) for mark in _KUBERNETES)


def _judge_platform(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    if not options.plans(edit.path) and not _is_benign(edit):
        reason = "How the service is built or run changes only when the plan names this file."
        yield denial("platform", edit.path, reason)
    added = "\n".join(edit.added)
    if "compose" in edit.name.lower():
        if any(_COMPOSE_NEVER.search(line) for line in edit.added):
            yield denial("platform", edit.path, "A container gets rights that reach outside of it.")
        known = {image.rpartition(":")[0] or image for image in _IMAGE.findall(edit.old)}
        found = {image.rpartition(":")[0] or image for image in _IMAGE.findall(added)}
        if found - known:
            reason = f"It runs another image: {listed(sorted(found - known))}."
            yield denial("platform", edit.path, reason)


def _is_benign(edit: Edit) -> bool:
    """Whether nothing but a few harmless keys of Railway's own file differ."""
    name = edit.name.lower()
    if edit.is_deleted or edit.is_new or not name.startswith("railway."):
        return False
    load = tomllib.loads if name.endswith(".toml") else json.loads
    try:
        old, new = dict(_flat(load(edit.old))), dict(_flat(load(edit.new or "")))
    except (ValueError, RecursionError):
        return False
    changed = {key for key in old | new if old.get(key) != new.get(key)}
    return all(_BENIGN.match(key) for key in changed)


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _judge_build_script(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    if not options.plans(edit.path):
        reason = "How things are built and installed changes only when the plan names this file."
        yield denial("build-script", edit.path, reason)
    if edit.is_deleted:
        yield denial("build-script", edit.path, "A build script is deleted.")
    elif any(_FETCHING.search(line) for line in edit.added):
        reason = "It fetches from elsewhere or runs another program while it builds."
        yield denial("build-script", edit.path, reason)
