"""What a person sees of a replay: one line a trouble, the result as a file, pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autofix.detect.grid import Recording
from autofix.detect.history import load_history
from autofix.detect.output import write_json
from autofix.detect.replay import Episode, Replay, Tick, build_replay_result, find_episodes
from autofix.errors import ConfigError
from autofix.parameters import ServiceSelection

PLAIN_WIDTH = 160
_SHOWN = 200
"""Troubles that are printed; the file holds them all."""


def select_history(file: Path, selection: ServiceSelection) -> Recording:
    """The samples of the selected services of a file.

    Raises:
        ConfigError: the file is none, or nothing in it is selected.
    """
    recording = load_history(file)
    names = {name for name in recording.services if selection.selects(name)}
    if not names:
        raise ConfigError(f"{file}: none of its services is selected by the parameters")
    return recording.only(names)


def report_replay(replay: Replay, json_file: Path | None) -> list[Episode]:
    """Run it, print the table, write the file, and return the troubles."""
    ticks = list(replay.run())
    episodes = find_episodes(ticks, replay.every)
    if json_file is not None:
        write_json(json_file, build_replay_result(ticks))
    _print(replay, ticks, episodes)
    return episodes


def _print(replay: Replay, ticks: Sequence[Tick], episodes: Sequence[Episode]) -> None:
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    if episodes:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for title in ("Service", "First tick", "Last tick", "Worst", "Signals"):
            table.add_column(title, no_wrap=True)
        table.add_column("What")
        for episode in episodes[:_SHOWN]:
            table.add_row(*(escape(cell) for cell in _row(episode)))
        console.print(table)
    if len(episodes) > _SHOWN:
        console.print(f"… and {len(episodes) - _SHOWN:,} more")
    console.print(_sum(replay, ticks, episodes), highlight=False, soft_wrap=True)


def _row(episode: Episode) -> tuple[str, ...]:
    first, last = episode.findings[0].ts, episode.findings[-1].ts
    signals = dict.fromkeys(finding.signal.value for finding in episode.findings)
    worst = episode.worst
    return (
        episode.service,
        _time(first),
        _time(last),
        worst.severity.value,
        ", ".join(signals),
        worst.reason,
    )


def _sum(replay: Replay, ticks: Sequence[Tick], episodes: Sequence[Episode]) -> str:
    services = len(replay.recording.services)
    affected = len({episode.service for episode in episodes})
    pressed = {finding.service for tick in ticks for finding in tick.pressure}
    number = sum(len(tick.findings) for tick in ticks)
    text = (
        f"{len(ticks):,} ticks, {services:,} services: {number:,} findings in {len(episodes):,} troubles of "
        f"{affected:,} services"
    )
    if pressed:
        text += (
            f"; {len(pressed):,} services are under pressure at times, and nothing suffers from it"
        )
    return f"{text}."


def _time(at: datetime) -> str:
    return f"{at:%m-%d %H:%M}"
