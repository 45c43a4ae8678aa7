"""Where a claim holds: the densest box on at most two parameters, by exhaustive search on a grid."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.judgement import uncertainty

BINS = 10
LEAST_MASS = 0.10
LEAST_DENSITY = 0.5
LEAST_ROWS = 2


@dataclass(frozen=True)
class Region:
    """A box of the declared set.

    Attributes
    ----------
    bounds : dict
        Parameter to ``[low, high]`` (ordered) or to an option (unordered).
    mass : float
        Fraction of the search sample inside.
    density : float
        Fraction of the fresh sample's points inside for which the claim holds.
    coverage : float
        Fraction of the fresh sample's holding points that lie inside.
    """

    bounds: dict
    mass: float
    density: float
    coverage: float


@dataclass(frozen=True)
class _Axis:
    """One parameter on a grid: `cells` of search and fresh points, and the intervals of cells to try."""

    name: str
    cells: tuple[np.ndarray, np.ndarray]
    count: int
    intervals: np.ndarray
    bounds: tuple


def densest_box(assumptions, options, samples, holding, least_density=LEAST_DENSITY):
    """Find the densest box in which a claim holds.

    Every pair of parameters is searched: intervals of tenths of the declared range (ordered) and single options
    (unordered). A box needs a mass of 0.10 on the search sample, a share of 0.5 on the fresh one, and holding
    points from two rows of each data table behind the options. Ties go to the larger box, then to the one with
    fewer parameters.

    Parameters
    ----------
    assumptions : sequence of Assumption
        Sampled parameters.
    options : Options
        Enumerated ones.
    samples : pair of Sample
        A search sample and a fresh one of another seed.
    holding : pair of ndarray of bool
        Whether the claim holds at their points.
    least_density : float
        Share that a box needs on the fresh sample.

    Returns
    -------
    Region or None
    """
    axes = _axes(assumptions, options, samples)
    weights = [sample.weight for sample in samples]
    pairs = [_Pair(*axes_of_pair, weights, holding) for axes_of_pair in combinations(axes, 2)]
    candidates = sorted(
        candidate for number, pair in enumerate(pairs) for candidate in pair.candidates(number, least_density)
    )
    rows = [options.columns[name][samples[0].rows] for name in options.rows]
    codes = [np.unique(row, return_inverse=True)[1] for row in rows]
    for _, _, _, number, first, second in candidates:
        inside = pairs[number].inside(first, second)
        if all(_distinct(code[inside & holding[0]]) >= LEAST_ROWS for code in codes):
            return pairs[number].region(first, second)
    return None


def _distinct(codes):
    return 0 if not len(codes) else 1 + int(codes.min() != codes.max())


def _axes(assumptions, options, samples):
    """The grid of each parameter; the first axis, with one cell, stands for "no second parameter"."""
    axes = [_Axis("", tuple(np.zeros(len(sample.rows), dtype=int) for sample in samples), 1, _single(1), (None,))]
    for declared in assumptions:
        scaled = [uncertainty.position(declared, sample.values[declared.name]) for sample in samples]
        axes.append(_ordered(declared.name, scaled, _edges(declared)))
    for name, (low, high, _unit) in options.ordered.items():
        scaled = [(options.columns[name][sample.rows] - low) / (high - low) for sample in samples]
        axes.append(_ordered(name, scaled, np.linspace(low, high, BINS + 1)))
    for name in options.categories:
        words, code = np.unique(options.columns[name], return_inverse=True)
        cells = tuple(code[sample.rows] for sample in samples)
        axes.append(_Axis(name, cells, len(words), _single(len(words)), tuple(words.tolist())))
    return axes


def _edges(declared):
    steps = np.linspace(0, 1, BINS + 1)
    if declared.logarithmic:
        return declared.low * (declared.high / declared.low) ** steps
    return declared.low + (declared.high - declared.low) * steps


def _single(count):
    return np.column_stack([np.arange(count), np.arange(1, count + 1)])


def _ordered(name, scaled, edges):
    # The slack keeps a value that sits on an edge, such as a span of exactly 8 years, on one side on every machine.
    cells = tuple(np.clip(np.floor(BINS * part + 1e-9), 0, BINS - 1).astype(int) for part in scaled)
    intervals = np.array([(low, high) for low in range(BINS) for high in range(low + 1, BINS + 1)])
    # Twelve digits, so that an edge reads 0.6 and not 0.6000000000000001.
    edges = [float(f"{edge:.12g}") for edge in edges]
    bounds = tuple([edges[low], edges[high]] for low, high in intervals)
    return _Axis(name, cells, BINS, intervals, bounds)


class _Pair:
    """All boxes on two axes, with the mass and the share inside each, on both samples."""

    def __init__(self, first, second, weights, holding):
        self.axes = (first, second)
        self.mass, self.held, self.total = [], [], []
        for number in range(2):
            weight, flat = weights[number], first.cells[number] * second.count + second.cells[number]
            self.mass.append(self._boxes(flat, weight))
            self.held.append(self._boxes(flat, weight * holding[number]))
            self.total.append(float(weight @ holding[number]))
        with np.errstate(invalid="ignore", divide="ignore"):
            self.density = [np.round(held / mass, 12) for held, mass in zip(self.held, self.mass, strict=True)]

    def _boxes(self, flat, weight):
        """Sum of weights in every box, shape (intervals of the first axis, intervals of the second)."""
        first, second = self.axes
        sums = np.zeros((first.count + 1, second.count + 1))
        cells = np.bincount(flat, weight, first.count * second.count).reshape(first.count, second.count)
        sums[1:, 1:] = cells.cumsum(axis=0).cumsum(axis=1)
        by_first = sums[first.intervals[:, 1]] - sums[first.intervals[:, 0]]
        return np.round(by_first[:, second.intervals[:, 1]] - by_first[:, second.intervals[:, 0]], 12)

    def candidates(self, number, least_density):
        """Boxes that qualify, as sort keys: densest, then largest, then fewest parameters."""
        enough = (self.mass[0] >= LEAST_MASS) & (self.density[1] >= least_density)
        for first, second in zip(*np.nonzero(enough), strict=True):
            density, mass = float(self.density[0][first, second]), float(self.mass[0][first, second])
            yield -density, -mass, len(self._bounds(first, second)), number, int(first), int(second)

    def inside(self, first, second):
        """Which points of the search sample lie in a box."""
        mask = True
        for axis, interval in zip(self.axes, (first, second), strict=True):
            low, high = axis.intervals[interval]
            mask = mask & (axis.cells[0] >= low) & (axis.cells[0] < high)
        return mask

    def region(self, first, second):
        """Describe a box."""
        coverage = float(self.held[1][first, second]) / self.total[1]
        density, mass = float(self.density[1][first, second]), float(self.mass[0][first, second])
        return Region(self._bounds(first, second), mass, density, round(coverage, 12))

    def _bounds(self, first, second):
        pairs = zip(self.axes, (first, second), strict=True)
        return {
            axis.name: axis.bounds[interval]
            for axis, interval in pairs
            if np.ptp(axis.intervals[interval]) < axis.count
        }
