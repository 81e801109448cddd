"""Files that a fix never touches, by name, and what kind of thing each is.

Compared without case and in compatibility form, because a checkout may ignore both.
"""

from __future__ import annotations

import fnmatch
import unicodedata
from pathlib import PurePosixPath

CI = "workflows and CI"
OWNERS = "code owners"
HOOKS = "hooks"
GIT = "git and forge configuration"
PACKAGES = "package-manager configuration"
AGENTS = "configuration of coding agents"
EDITORS = "configuration of editors and development containers"
SCANNERS = "configuration of scanners and review bots"
START_UP = "code that runs by itself when an interpreter or a shell starts"
SECRETS = "files that hold credentials"
STATE = "records of deployed infrastructure"

# A pattern with a slash at its end is a folder at any depth, others are the file's own name.
_PROTECTED: dict[str, tuple[str, ...]] = {
    CI: (
        ".circleci/", ".buildkite/", ".gitlab/", ".forgejo/", ".gitea/", ".woodpecker/",
        ".semaphore/", ".tekton/", ".teamcity/", ".harness/", ".builds/", "bamboo-specs/",
        ".azure-pipelines/", ".cloudbuild/", ".concourse/", ".drone/", ".ci/", ".jenkins/",
        "jenkinsfile*", "*.jenkinsfile", ".gitlab-ci*.yml", ".gitlab-ci*.yaml", ".travis.y*ml",
        "azure-pipelines*.y*ml", "bitbucket-pipelines.y*ml", ".drone.*", ".woodpecker*.y*ml",
        "appveyor.y*ml", ".appveyor.y*ml", "buildspec*.y*ml", "cloudbuild*.y*ml",
        "cloudbuild*.json", ".cirrus.y*ml", ".cirrus.star", "wercker.y*ml", "codefresh.y*ml",
        ".build.y*ml", ".gocd.y*ml", ".taskcluster.y*ml", "zuul.y*ml", ".zuul.y*ml", "zuul.d/",
        ".zuul.d/", "screwdriver.y*ml", "codeship-*.y*ml", "codemagic.y*ml", "bitrise.y*ml",
        "semaphore.y*ml", "dagger.json", "action.yml", "action.yaml", ".scrutinizer.y*ml",
        "shippable.y*ml", "circle.y*ml", ".magnum.y*ml", ".vela.y*ml", ".github-ci.y*ml",
    ),
    OWNERS: ("codeowners", "owners", "owners_aliases", "maintainers.y*ml"),
    HOOKS: (
        ".husky/", ".githooks/", "githooks/", "git-hooks/", ".git-hooks/", ".lefthook/",
        ".lefthook-local/", ".pre-commit-config.y*ml", ".pre-commit-hooks.y*ml", "lefthook*.*ml",
        ".lefthook*.*ml", "lefthook*.json", ".lefthook*.json", ".overcommit.y*ml", ".huskyrc*",
        ".lintstagedrc*", "lint-staged.config.*", ".simple-git-hooks.*", "simple-git-hooks.*",
        "captainhook.json", "grumphp.y*ml", "prek.toml",
    ),
    PACKAGES: (
        ".npmrc", ".yarnrc*", ".yarn/", ".pnp.*", ".pnpmfile.*", "pnpmfile.*",
        "pnpm-workspace.y*ml", "bunfig.toml", ".bunfig.toml", "pip.conf", "pip.ini", ".pip/",
        ".pypirc", "uv.toml", "poetry.toml", ".condarc", ".bundle/", ".gemrc", ".cargo/", ".mvn/",
        "mvnw", "mvnw.cmd", "gradlew", "gradlew.bat", "gradle-wrapper.*", "init.gradle*",
        "nuget.config", ".bowerrc", ".tool-versions", "mise*.toml", ".mise*.toml",
        ".mise/", ".asdfrc", "rust-toolchain*", ".hex/", ".volta/",
        "settings-security.xml", ".pixi/",
    ),
    AGENTS: (
        ".opencode/", "opencode.json*", ".claude/", ".claude.json", "claude.md", "claude.*.md", "agents.md", "agents.*.md",
        "agent.md", "gemini.md", "qwen.md", "warp.md", "codex.md", ".codex/", ".gemini/", ".qwen/",
        ".cursor/", ".cursorrules", ".cursorignore", ".cursorindexingignore", ".windsurf/",
        ".windsurfrules", ".codeium/", ".clinerules*", ".clinerules/", ".cline/", ".roo/",
        ".roorules*", ".roomodes", ".kilocode/", ".kilocodemodes", ".continue/", ".continuerules",
        ".aider*", ".junie/", ".kiro/", ".amazonq/", ".augment/", ".augment-guidelines",
        ".goosehints", ".goose/", ".devin/", ".openhands/", ".openhands_instructions", ".trae/",
        ".agents/", ".agent/", ".factory/", ".amp/", ".crush/", "crush.json", ".crush.json",
        ".mcp.json", "mcp.json", ".mcp/", "copilot-instructions.md", "*.instructions.md",
        "*.prompt.md", "*.chatmode.md", "skill.md", ".specify/", ".rules", ".replit", "replit.md",
        "replit.nix", ".serena/", ".jules/", ".tabnine/", ".ai/", ".llm/",
    ),
    EDITORS: (
        ".vscode/", ".idea/", ".fleet/", ".zed/", ".devcontainer/", ".devcontainer.json", ".vs/",
        "*.code-workspace", ".gitpod.*", ".nova/", ".sublime-*", "*.sublime-project", ".exrc",
        ".nvimrc", ".vimrc", ".dir-locals.el", ".lvimrc",
    ),
    SCANNERS: (
        ".gitleaks*", "gitleaks.toml", ".semgrep*", ".semgrep/", ".trivyignore*", "trivy.y*ml",
        ".snyk", ".bandit", ".secrets.baseline", ".talismanrc", ".trufflehog*", ".checkov.y*ml",
        ".tfsec/", ".grype.y*ml", ".hadolint.y*ml", "sonar-project.properties", ".sonarcloud.*",
        ".whitesource", ".mergify.y*ml", ".mergify/", ".kodiak.toml", ".bulldozer.y*ml",
        ".policy.y*ml", "renovate.json*", ".renovaterc*", "codecov.y*ml", ".codecov.y*ml",
        ".coderabbit.y*ml", ".sourcery.y*ml", ".deepsource.toml", ".codeclimate.y*ml",
        ".pullapprove.y*ml", ".dependabot/", "dependabot.y*ml", "auditjs.json", ".nsprc",
        "audit-ci.json*", "osv-scanner.toml", "deny.toml", ".kingfisher*", ".ggshield.y*ml",
    ),
    START_UP: (
        "sitecustomize.py", "usercustomize.py", "*.pth", ".envrc", ".direnvrc", ".bashrc",
        ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv",
        ".zprofile", ".zlogin", ".kshrc", ".cshrc", ".tcshrc", ".inputrc", ".irbrc", ".pryrc",
        ".pythonrc*", ".pythonstartup*", ".rprofile", ".gdbinit", ".lldbinit", ".perltidyrc",
        ".autoenv*", ".noderc*",
    ),
    SECRETS: (
        ".env", ".env.*", "*.env", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".htpasswd",
        "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx",
        "*.jks", "*.keystore", "*.kdbx", "*.ppk", ".aws/", ".ssh/", ".kube/", ".docker/",
        ".dockercfg", ".dockerconfigjson", ".vault-token", ".sops.y*ml", "credentials",
        "credentials.json", "service-account*.json", "secrets.y*ml", "master.key",
    ),
    STATE: ("*.tfstate", "*.tfstate.*", ".terraform/", "pulumi.*.y*ml"),
}  # fmt: skip
_EXAMPLES = (".example", ".sample", ".template", ".dist", ".defaults")
_PLACEHOLDERS = {".gitkeep", ".keep"}

_LOCK_FILES = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.y*ml", "bun.lock",
    "bun.lockb", "poetry.lock", "uv.lock", "pipfile.lock", "pdm.lock", "pylock*.toml",
    "requirements*.lock", "gemfile.lock", "gems.locked", "go.sum", "go.work.sum", "cargo.lock",
    "composer.lock", "mix.lock", "packages.lock.json", "gradle.lockfile", "*.lockfile",
    "flake.lock", "deno.lock", "pubspec.lock", "podfile.lock", "package.resolved", "conan.lock",
    "pixi.lock", "rebar.lock", "shard.lock", "cabal.project.freeze", "stack.yaml.lock",
    "cpanfile.snapshot", "conda-lock.y*ml", ".terraform.lock.hcl",
    "project.assets.json", "verification-metadata.xml", "vcpkg-lock.json",
)  # fmt: skip


def protected_kind(path: str) -> str | None:
    """What a path belongs to that no fix touches; None when it is an ordinary one."""
    *folders, name = PurePosixPath(_plain(path)).parts or ("",)
    if name in _PLACEHOLDERS and not any(part.startswith(".git") for part in folders):
        return None
    for kind, patterns in _PROTECTED.items():
        if any(_matches(pattern, folders, name) for pattern in patterns):
            return None if kind == SECRETS and name.endswith(_EXAMPLES) else kind
    return GIT if any(part.startswith(".git") for part in (*folders, name)) else None


def is_lock_file(path: str) -> bool:
    """Whether a tool wrote this file to pin packages."""
    name = PurePosixPath(_plain(path)).name
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _LOCK_FILES)


def _matches(pattern: str, folders: list[str], name: str) -> bool:
    if pattern.endswith("/"):
        # a file or link in the folder's place decides as much as the folder does
        return pattern[:-1] in folders or pattern[:-1] == name
    return fnmatch.fnmatchcase(name, pattern)


def _plain(path: str) -> str:
    """As a system that ignores case, widths and trailing dots or blanks would see it."""
    folded = unicodedata.normalize("NFKC", path.encode(errors="replace").decode()).casefold()
    return "/".join(part.rstrip(". ") or part for part in folded.split("/"))
