"""What a person sees while it works: a line a step, and a table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

WIDTH = 130
"""Columns where the output is not a terminal."""


class View:
    """Steps with their time; a spinner in a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        """Write to this console, standard output by default."""
        width = None if sys.stdout.isatty() else WIDTH
        self.console = console or Console(highlight=False, width=width)
        self._begin = time.monotonic()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step: shown while it runs, and its time when it is done."""
        begin = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(what):
                yield
        else:
            self.console.print(f"{self._clock()}  … {what}")
            yield
        seconds = time.monotonic() - begin
        self.console.print(f"{self._clock()}  [green]✓[/green] {what} [dim]({seconds:.0f} s)[/dim]")

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(f"{self._clock()}  {text}", soft_wrap=True)

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A table."""
        table = Table(
            title=title, title_justify="left", title_style="bold", pad_edge=False, show_lines=True
        )
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.console.print()
        self.console.print(table)

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begin), 60)
        return f"[dim]{minutes}:{seconds:02}[/dim]"
