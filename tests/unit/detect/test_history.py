from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autofix.detect.grid import ORDER, Recording
from autofix.detect.history import load_history
from autofix.errors import ConfigError

GOOD = """ts,service,measurement,value
2026-03-02T14:00:00Z,web,CPU_USAGE,0.5
2026-03-02T14:01:00Z,web,CPU_USAGE,
2026-03-02T14:02:00Z,web,CPU_USAGE,NaN
2026-03-02T14:00:00Z,api,HTTP_2XX,7
2026-03-02T14:00:00Z,api,HTTP_2XX,9
"""


def load(tmp_path: Path, text: str | bytes, name: str = "day.csv") -> Recording:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_history(file)


def told(recording: Recording) -> list[tuple[str, str, str, float]]:
    return [
        (str(pd.Timestamp(ts, tz="UTC")), recording.services[s], ORDER[m], value)
        for ts, s, m, value in zip(
            recording.ts, recording.service, recording.measurement, recording.value, strict=True
        )
    ]


AT = "2026-03-02 14:00:00+00:00"


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    """Services by name, gaps left out, of two samples of the same thing the higher."""
    assert told(load(tmp_path, GOOD)) == [
        (AT, "api", "HTTP_2XX", 9.0),
        (AT, "web", "CPU_USAGE", 0.5),
    ]


def test_columns_may_come_in_any_order_beside_others(tmp_path: Path) -> None:
    """With a byte order mark, quotes and Windows line ends, and compressed."""
    text = '\ufeff"value",region,"measurement",ts,service\r\n0.5,eu,CPU_USAGE,2026-03-02T14:00:00Z,web\r\n'
    assert told(load(tmp_path, text)) == [(AT, "web", "CPU_USAGE", 0.5)]
    packed = gzip.compress(text.encode())
    assert told(load(tmp_path, packed, "day.csv.gz")) == [(AT, "web", "CPU_USAGE", 0.5)]


@pytest.mark.parametrize(
    "ts",
    [
        "2026-03-02T14:00:00Z",
        "2026-03-02T15:00:00+01:00",
        "2026-03-02 14:00:00",
        "2026-03-02T14:00:00.000Z",
        "1772460000",
        "1772460000000",
        "1772460000.0",
    ],
)
def test_times_may_be_written_in_several_ways(tmp_path: Path, ts: str) -> None:
    """With any offset, without one for UTC, or as a number since the epoch."""
    text = f"ts,service,measurement,value\n{ts},web,CPU_USAGE,1\n"
    assert told(load(tmp_path, text)) == [(AT, "web", "CPU_USAGE", 1.0)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_parquet_is_read_too(tmp_path: Path, unit: str, zone: str | None) -> None:
    """Times of any unit and zone; text is dictionary-encoded or not."""
    times = pd.to_datetime(["2026-03-02T14:00:00Z"] * 2).as_unit(unit).tz_convert(zone)
    frame = pd.DataFrame(
        {
            "ts": times,
            "service": pd.Categorical(["web", "web"]),
            "measurement": ["CPU_USAGE", "HTTP_2XX"],
            "value": np.array([1.5, np.nan]),
        }
    )
    frame.to_parquet(tmp_path / "day.parquet")
    assert told(load_history(tmp_path / "day.parquet")) == [(AT, "web", "CPU_USAGE", 1.5)]


def _row(ts: str = "2026-03-02T14:00:00Z", measurement: str = "CPU_USAGE", value: str = "1") -> str:
    return f"ts,service,measurement,value\n{ts},web,{measurement},{value}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: the first line must name the columns ts,service,measurement,value"),
        ("ts,service,measurement,value\n", "holds no samples"),
        (
            "ts,service,value\n1,web,1\n",
            "column measurement is missing; there are 'ts, service, value'",
        ),
        ("ts;service;measurement;value\n", "column ts is missing"),
        ("\n\n", "column ts is missing"),
        (_row(ts="yesterday"), "ts 'yesterday' is no time: write it as 2026-03-02T14:30:00Z"),
        (_row(ts=""), "1 rows have no ts"),
        (_row(ts="-5"), "ts '-5' is not between 1970 and 2200"),
        (_row(ts="2926-03-02T14:00:00Z"), "ts '2926-03-02T14:00:00Z' is"),
        (_row(value="much"), "value 'much' is no number"),
        (_row(measurement="CPU"), "unknown measurement 'CPU'; there are CPU_LIMIT, CPU_USAGE"),
        (_row() + "2026-03-02T14:00:00Z,web\n", "Expected 4 columns, got 2"),
        (b"\x00\xff\xfe\x01\x02binary", "day.csv: "),
        (b"PAR1 and no more", "day.csv: "),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    """What is wrong, with the first thing that is."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A folder is none either."""
    for path, why in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=why):
            load_history(path)


def test_parquet_without_numbers_is_told(tmp_path: Path) -> None:
    """Text in the value column."""
    frame = pd.DataFrame(
        {"ts": [1772460000], "service": ["web"], "measurement": ["CPU_USAGE"], "value": ["1"]}
    )
    frame.to_parquet(tmp_path / "day.parquet")
    with pytest.raises(ConfigError, match=r"column value holds .*string, not numbers"):
        load_history(tmp_path / "day.parquet")


def test_columns_that_are_mixed_up_are_told(tmp_path: Path) -> None:
    """Thousands of services: some other column stands there."""
    rows = "".join(f"2026-03-02T14:00:00Z,{i},CPU_USAGE,1\n" for i in range(5_001))
    with pytest.raises(ConfigError, match="column service holds more than 5,000 names"):
        load(tmp_path, f"ts,service,measurement,value\n{rows}")
