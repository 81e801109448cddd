"""A file as it was read, and a repair of it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MAIN = '\n\nif __name__ == "__main__":'


@dataclass(frozen=True)
class Source:
    """A Python file."""

    module: str
    """Its name without the ending."""
    text: str

    def function(self, name: str) -> str | None:
        """The text of a function or method; None when there is none of that name."""
        return next((text for found, text in self.functions() if found == name), None)

    def functions(self) -> Iterator[tuple[str, str]]:
        """Name and text of each function and method, the inner ones within their outer one."""
        for match in re.finditer(r"^([ \t]*)def (\w+)\(", self.text, re.MULTILINE):
            head_end = self.text.index(":\n", match.end()) + 2
            indent = len(match[1])
            end = head_end
            for line in self.text[head_end:].splitlines(keepends=True):
                if line.strip() and len(line) - len(line.lstrip()) <= indent:
                    break
                end += len(line)
            yield match[2], self.text[match.start() : end].rstrip("\n") + "\n"

    def imports(self, module: str) -> bool:
        """Whether a whole module is imported under its name."""
        return re.search(rf"^import {module}$", self.text, re.MULTILINE) is not None

    def import_edit(self, module: str, name: str) -> tuple[str, str] | None:
        """The edit that adds ``from module import name`` in sorted place; None when it is there."""
        present = re.search(rf"^from {module} import (.+)$", self.text, re.MULTILINE)
        if present:
            names = sorted({*re.split(r", *", present[1]), name}, key=str.lower)
            line = f"from {module} import {', '.join(names)}"
            return None if line == present[0] else (present[0], line)
        line = f"from {module} import {name}\n"
        block = self._import_block()
        lines = block.splitlines(keepends=True)
        later = (i for i, other in enumerate(lines) if other.startswith("from ") and other > line)
        place = next(later, len(lines))
        return block, "".join([*lines[:place], line, *lines[place:]])

    def _import_block(self) -> str:
        """The first run of import lines after the one from ``__future__``."""
        pattern = r"(?:^(?:import|from) (?!__future__).*\n)+"
        match = re.search(pattern, self.text, re.MULTILINE)
        return match[0] if match else ""


@dataclass(frozen=True)
class Companion:
    """An edit that belongs to a repair but to another file, if the repository has such a file."""

    include: str
    """Which file names to search."""
    search: str
    """What the file holds; an extended regular expression for grep."""
    summary: str
    extend: Callable[[str], tuple[str, str] | None]
    """The edit for the file's text; None when it is not needed."""


@dataclass(frozen=True)
class Repair:
    """Edits of one source file and a regression test for them."""

    title: str
    """Subject of the commit."""
    summary: str
    """What was done, as half a sentence."""
    edits: tuple[tuple[str, str], ...]
    """Old and new text; each old text occurs once."""
    test: Callable[[Source], str | None]
    """A test case class for the test file; None when the file shows no way to write it."""
    test_imports: tuple[tuple[str, str], ...] = ()
    """Module and name of what the test needs."""
    companions: tuple[Companion, ...] = ()

    def extend_tests(self, tests: Source) -> list[tuple[str, str]]:
        """The edits that add the regression test before the main block; empty if impossible."""
        test = self.test(tests)
        if test is None:
            return []
        found = (tests.import_edit(module, name) for module, name in self.test_imports)
        edits = [edit for edit in found if edit]
        text = "\n\n\n" + textwrap.dedent(test).strip("\n")
        if _MAIN in tests.text:
            return [*edits, (_MAIN, f"{text[1:]}\n{_MAIN}")]
        anchor = _unique_tail(tests.text)
        return [*edits, (anchor, f"{anchor}{text}")]


def _unique_tail(text: str) -> str:
    """The shortest run of whole last lines that occurs once."""
    lines = text.rstrip("\n").splitlines()
    for count in range(1, len(lines) + 1):
        tail = "\n".join(lines[-count:])
        if tail and text.count(tail) == 1:
            return tail
    return text
