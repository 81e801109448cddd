"""What one change may touch, and how big it may be."""

from __future__ import annotations

from pydantic import Field, SecretStr

from autofix.models import Model


class GateOptions(Model):
    """The bounds of one change. What is not named here is denied."""

    roots: tuple[str, ...] = ("",)
    """Folders it may touch; an empty one means the whole repository."""
    patterns: tuple[str, ...] = ()
    """Watch patterns of the affected services, as in a .gitignore: what they match may be touched
    too, e.g. the shared packages of a monorepo."""
    max_files: int = 20
    max_lines: int = 800
    """Added and removed lines together; lock files have a bound of their own."""
    max_lock_lines: int = 5_000
    max_commits: int = 50
    max_file_bytes: int = 1_000_000
    max_line_chars: int = 4_000
    """Of an added line: what nobody can read, nobody can review."""
    max_seconds: float = 120
    """Of judging; what takes longer is denied."""
    planned_files: tuple[str, ...] = ()
    """Files that the plan names; a few kinds may be changed only then."""
    dependencies: tuple[str, ...] = ()
    """Packages that the plan names as new or changed."""
    secrets: tuple[SecretStr, ...] = Field(default=(), repr=False)
    """Live values that the agent's shell can read."""

    def plans(self, path: str) -> bool:
        """Whether the plan names this file."""
        return path in {planned.removeprefix("./").strip("/") for planned in self.planned_files}
