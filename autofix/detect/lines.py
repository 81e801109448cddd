"""Straight lines through the last steps of every service at once, with traffic taken out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from autofix.detect.grid import Array, Flags

_COVERED = 0.6
"""Share of the steps that must stand for something measured."""
_POINTS = 6
"""Fewer points make no line."""
_TINY = 1e-12
_CLEAR = 2.5
"""Standard errors by which a bend is clear."""
_GREW = 0.05
"""Share by which a load grows clearly."""


@dataclass(frozen=True)
class Lines:
    """One line a service; NaN where there were too few points."""

    slope: Array
    """Per step, at level load."""
    level: Array
    """Where the line stands at its end."""
    certainty: Array
    """The slope by its standard error."""
    slows_down: Flags
    """The curve bends down, clearly."""
    ahead: Array
    """How much higher it would still come if it went on bending as it does; infinite otherwise."""
    explained: Flags
    """The load grew too, and by at least as large a share."""


@dataclass(frozen=True)
class Sketch:
    """What the slope of one line a service may be; NaN where there were too few points."""

    slopes: tuple[Array, Array]
    """Per step, whatever the load and at level load."""
    mean: Array
    until_end: Array
    """Steps from the middle of the line to its end."""


def fit_lines(values: Array, load: Array, stride: Array) -> Lines:
    """The least-squares line through each row.

    What a load explains is taken out, as far as more load means more use. Standard errors take
    account of neighbours that resemble each other.

    Args:
        values: services × steps, NaN where not measured.
        load: the same shape; NaN where unknown.
        stride: of how many steps a measurement is.
    """
    seen = ~np.isnan(values)
    enough = (seen.sum(axis=1) >= _POINTS) & (
        (seen * stride).sum(axis=1) >= _COVERED * values.shape[1]
    )
    t = _centred(np.broadcast_to(np.arange(values.shape[1], dtype="float64"), values.shape), seen)
    load = _complete(load, seen)
    y, x = _centred(values, seen), _centred(load, seen)
    tt, xx, tx = (t * t).sum(axis=1), (x * x).sum(axis=1), (t * x).sum(axis=1)
    ty, xy = (t * y).sum(axis=1), (x * y).sum(axis=1)
    det = tt * xx - tx * tx
    with np.errstate(invalid="ignore", divide="ignore"):
        by_load = np.where(det > _TINY * tt * xx, (tt * xy - tx * ty) / det, 0.0)
        loaded = by_load > 0
        by_load = np.where(loaded, by_load, 0.0)
        slope = np.where(loaded, (xx * ty - tx * xy) / det, ty / tt)
        rest = np.where(seen, y - by_load[:, None] * x, 0.0)
        noise = np.where(seen, rest - slope[:, None] * t, 0.0)
        free = np.maximum(seen.sum(axis=1) - 2 - loaded, 1)
        inverse = np.where(loaded, xx / det, 1 / tt)
        error = np.sqrt((noise * noise).sum(axis=1) / free * inverse * _inflation(noise))
        certainty = slope / np.maximum(error, _TINY)
        mean = np.where(seen, values, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        level = mean + slope * (t.max(axis=1) + 0.5)  # the end of the last step
        slows_down, ahead = _bend(noise, t, seen, slope)
        explained = _explained(ty / tt, tx / tt, mean, load.mean(axis=1), t)
    return Lines(
        slope=np.where(enough, slope, np.nan),
        level=np.where(enough, level, np.nan),
        certainty=certainty,
        slows_down=slows_down,
        ahead=ahead,
        explained=explained,
    )


def sketch_lines(values: Array, load: Array, parts: Sequence[slice]) -> Iterator[Sketch]:
    """The slopes of the same lines through several parts, by running sums: which deserve a fit."""
    seen = ~np.isnan(values)
    both = seen & ~np.isnan(load)
    t = np.broadcast_to(np.arange(values.shape[1], dtype="float64"), values.shape)
    y, x = _centred(values, seen), _centred(load, both)
    middle = np.where(seen, values, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    sums = [running_sums(column) for column in (seen, seen * t, seen * t * t, y, y * t)]
    loads = [running_sums(column) for column in (both, both * t, both * y, x, x * x, x * t, x * y)]
    for part in parts:
        n, t1, t2, y1, ty1 = (total[:, part.stop] - total[:, part.start] for total in sums)
        m, tm, ym, x1, x2, tx1, xy1 = (
            total[:, part.stop] - total[:, part.start] for total in loads
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            t_mean, y_mean, x_mean = t1 / n, y1 / n, np.where(m > 0, x1 / m, 0.0)
            tt, ty = t2 - t1 * t_mean, ty1 - t1 * y_mean
            xx, tx, xy = x2 - x1 * x_mean, tx1 - tm * x_mean, xy1 - ym * x_mean
            slopes = ty / tt, (xx * ty - tx * xy) / (tt * xx - tx * tx)
        yield Sketch(slopes, middle + y_mean, part.stop - t_mean)


def running_sums(values: Array | Flags) -> Array:
    """What there was before each step, and altogether."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _explained(rise: Array, load_rise: Array, mean: Array, load_mean: Array, t: Array) -> Flags:
    """Whether the load grew clearly, and by at least as large a share as the values did."""
    span = t.max(axis=1) - t.min(axis=1)
    grown = load_rise * span / load_mean
    explained: Flags = (grown >= _GREW) & (grown >= rise * span / mean)
    return explained


def _centred(values: Array, seen: Flags) -> Array:
    number = np.maximum(seen.sum(axis=1), 1)
    mean = np.where(seen, values, 0.0).sum(axis=1) / number
    centred: Array = np.where(seen, values - mean[:, None], 0.0)
    return centred


def _complete(load: Array, seen: Flags) -> Array:
    """The load with its own mean where it is unknown."""
    known = ~np.isnan(load) & seen
    number = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, load, 0.0).sum(axis=1) / number
    return np.where(known, load, mean[:, None])


def _inflation(noise: Array) -> Array:
    """By how much neighbours that resemble each other widen the variance of a slope."""
    product = (noise[:, 1:] * noise[:, :-1]).sum(axis=1)
    alike = np.clip(product / np.maximum((noise * noise).sum(axis=1), _TINY), 0.0, 0.9)
    inflation: Array = (1 + alike) / (1 - alike)
    return inflation


def _bend(noise: Array, t: Array, seen: Flags, slope: Array) -> tuple[Flags, Array]:
    """Whether what a line leaves over bends down, and how far the curve would still come.

    A cache that fills comes nearer to its size by a share a time: twice as far as the parabola that
    touches its course.
    """
    tt = (t * t).sum(axis=1)
    square = _centred(t * t, seen)
    square -= ((square * t).sum(axis=1) / tt)[:, None] * t
    square = np.where(seen, square, 0.0)
    size = np.maximum((square * square).sum(axis=1), _TINY)
    bend = (square * noise).sum(axis=1) / size
    left = noise - bend[:, None] * square
    free = np.maximum(seen.sum(axis=1) - 3, 1)
    error = np.sqrt((left * left).sum(axis=1) / free / size * _inflation(left))
    slows_down: Flags = bend <= -_CLEAR * np.maximum(error, _TINY)
    last = np.maximum(slope + 2 * bend * t.max(axis=1), 0.0)
    ahead: Array = np.where(slows_down, last * last / np.maximum(-2 * bend, _TINY), np.inf)
    return slows_down, ahead


def bend_of(values: Array) -> int:
    """The step at which a level stretch best bends into a rising line; 0 when it only rises."""
    place = np.flatnonzero(~np.isnan(values))
    if len(place) < _POINTS:
        return 0
    y = values[place]
    ramps = np.maximum(0.0, place[None, :] - np.arange(len(values) - 2)[:, None])
    x = ramps - ramps.mean(axis=1, keepdims=True)
    size = (x * x).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(size > 0, (x @ (y - y.mean())) / size, 0.0)
    # of all bends the one that explains most, and rises
    explained = np.where(slope > 0, slope * slope * size, -1.0)
    return int(explained.argmax())
