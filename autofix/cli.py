"""`autofix`: the same detector by hand. Starts nothing and changes nothing."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cyclopts import App, CycloptsError, Parameter
from pydantic import ValidationError

from autofix.detect.parameters import CheckParameters, load_parameters
from autofix.errors import AutofixError, ConfigError
from autofix.parameters import ServiceSelection, WindowParameters

OK, FAILED, WRONG = 0, 1, 2
"""Exit status: read enough; could not read enough; bad input or settings."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

app = App(name="autofix", help="Watches an application on Railway and repairs it by pull requests.")


@app.command
def check(
    *,
    window: str | None = None,
    service: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    now: str | None = None,
    baseline: Annotated[bool, Parameter(negative="")] = False,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    parameters: Path | None = None,
) -> int:
    """Look at a slice of time once: print services and findings, start nothing.

    Exit status 0 when at least half of the services were read, whatever was found; 1 otherwise;
    2 for bad input or settings.

    Args:
        window: length of the slice: 90s, 30m, 2h or 1d.
        service: names of services; only these are looked at.
        now: end of the slice, RFC 3339; the present when left out.
        baseline: read each service's last day too, and judge by what is normal for it.
        json_file: write the result to this file.
        parameters: YAML or JSON with window, thresholds and services; otherwise the monitor
            deployment's parameters in prefect.yaml, if it is in the working folder.
    """
    # pandas is loaded when a command runs, not for --help
    from autofix.detect.check import report_check, run_check  # noqa: PLC0415
    from autofix.observe.railway import RailwayClient  # noqa: PLC0415
    from autofix.settings import load_settings  # noqa: PLC0415

    chosen = _override(load_parameters(parameters), window, service or [])
    end = parse_time(now) if now else datetime.now(UTC).replace(microsecond=0)
    settings = load_settings()
    result = run_check(
        lambda: RailwayClient(settings), chosen, end, service or [], with_baseline=baseline
    )
    trouble, note = report_check(result, chosen.thresholds, settings, json_file)
    for line in filter(None, (note, trouble)):
        _complain(line)
    return FAILED if trouble else OK


@app.command
def replay(
    file: Path,
    /,
    *,
    every: str = "10m",
    window: str | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    parameters: Path | None = None,
    plot: Path | None = None,
) -> int:
    """Run the detector over recorded history: what it would have said at each tick.

    Exit status 0 when it ran, whatever was found; 2 for a bad file or bad input.

    Args:
        file: CSV or Parquet with the columns ts, service, measurement, value.
        every: time between two ticks: 90s, 10m or 1h.
        window: length of the slice that is judged at each tick.
        json_file: write every finding to this file.
        parameters: YAML or JSON as for check.
        plot: draw one picture for each signal of each trouble into this folder.
    """
    from autofix.detect.plot import plot_episodes, require_matplotlib  # noqa: PLC0415
    from autofix.detect.replay import Replay  # noqa: PLC0415
    from autofix.detect.replay_report import report_replay, select_history  # noqa: PLC0415

    chosen = _override(load_parameters(parameters), window, [])
    step = parse_duration(every, "--every")
    if not step:
        raise ConfigError(f"--every {every!r}: must be longer than nothing")
    if plot is not None:
        require_matplotlib()
    if json_file is not None and not json_file.parent.is_dir():
        raise ConfigError(f"--json {json_file} cannot be written: there is no {json_file.parent}")
    recording = select_history(file, chosen.services)
    run = Replay(recording, chosen.rules, chosen.window.length, step)
    episodes = report_replay(run, json_file)
    if plot is not None:
        print(f"{plot_episodes(run, episodes, plot):,} pictures in {plot}")
    return OK


@app.command
def doctor(
    *,
    models: bool = True,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Hold every setting against its real other side: a table, and what to do. Changes nothing.

    Exit status 0 when everything is right, 1 otherwise.

    Args:
        models: let the planner's and the agent's model answer one word, which costs a few tokens.
        as_json: print JSON instead of a table.
    """
    from rich.console import Console  # noqa: PLC0415

    from autofix.doctor.doctor import WIDTH, examine, print_table, render_json  # noqa: PLC0415
    from autofix.redact import redactor  # noqa: PLC0415
    from autofix.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    door = redactor(settings.secret_values())
    found = examine(settings, os.environ, datetime.now(UTC), ask_models=models)
    checks = [
        check.model_copy(update={"detail": door(check.detail), "todo": door(check.todo)})
        for check in found
    ]
    if as_json:
        print(render_json(checks))
    else:
        print_table(checks, Console(width=None if sys.stdout.isatty() else WIDTH))
    return OK if all(check.ok for check in checks) else FAILED


def main() -> NoReturn:
    """Run the command line; one line on stderr for what a person can set right."""
    sys.exit(run())


def run(tokens: list[str] | None = None) -> int:
    """The exit status of these arguments; of the process's own when None."""
    try:
        status = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (CycloptsError, ConfigError) as error:
        _complain(str(error))
        return WRONG
    except AutofixError as error:
        _complain(str(error))
        return FAILED
    return status if isinstance(status, int) else OK


def parse_duration(text: str, option: str = "--window") -> timedelta:
    """`90s`, `30m`, `2h`, `1d`."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text.strip())
    if match is None:
        raise ConfigError(f"{option} {text!r}: write a number and s, m, h or d, such as 30m")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def parse_time(text: str) -> datetime:
    """RFC 3339 with its offset, as UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--now {text!r}: write it as 2026-03-02T14:30:00Z") from error
    if at.tzinfo is None:
        raise ConfigError(f"--now {text!r} has no offset: add Z for UTC")
    return at.astimezone(UTC)


def _override(chosen: CheckParameters, window: str | None, names: list[str]) -> CheckParameters:
    """The parameters with what was said on the command line."""
    update: dict[str, Any] = {}
    if window:
        minutes = parse_duration(window).total_seconds() / 60
        try:
            update["window"] = WindowParameters(
                minutes=minutes, step_seconds=chosen.window.step_seconds
            )
        except ValidationError as error:
            raise ConfigError(
                f"--window {window!r}: {error.errors()[0]['msg']} (minutes)"
            ) from error
    if names:
        update["services"] = ServiceSelection(include=names)
    return chosen.model_copy(update=update)


def _complain(message: str) -> None:
    print(f"autofix: {' '.join(message.split())}", file=sys.stderr)


if __name__ == "__main__":
    main()
