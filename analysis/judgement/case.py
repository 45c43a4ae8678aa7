"""A question ready to be asked: what is open, and the function that predicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.facts.assumptions import Assumption


@dataclass(frozen=True)
class Options:
    """The enumerated part of what a claim leaves open: K combinations, one a row.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (K,)
        Everything that is known of a combination.
    choices : tuple of str
        Columns that the source leaves open; each has a driver index and a list of values that hold.
    categories : tuple of str
        Unordered columns that may bound a region. Names of data rows never stand here.
    ordered : dict of str to (low, high, unit)
        Ordered columns that may bound a region, with their declared range.
    rows : tuple of str
        Columns that name data rows; the holding points of a region need two different values in each.
    vendor : str
        Column of the vendor, blank where there is none.
    sources : tuple of tuple of frozenset
        For each combination, the citation keys of each data row on which it rests.
    """

    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    ordered: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    vendor: str = ""
    sources: tuple[tuple[frozenset, ...], ...] = ((),)

    def __len__(self):
        return len(self.sources)

    def take(self, keep):
        """Return the combinations at a boolean mask or at positions."""
        positions = np.flatnonzero(keep) if np.asarray(keep).dtype == bool else np.asarray(keep)
        columns = {name: values[positions] for name, values in self.columns.items()}
        return replace(self, columns=columns, sources=tuple(self.sources[row] for row in positions))


@dataclass(frozen=True)
class ModelError:
    """The model's own error on rows it was not fitted on, as a fraction: predicted / measured - 1.

    Attributes
    ----------
    low, high : float
        Its 5th and 95th percentile.
    gain : bool
        True where the prediction is a gain in per cent and the error is that of the ratio behind it.
    """

    low: float
    high: float
    gain: bool = False

    def moved(self, prediction, error):
        """Return where the truth would lie if the model were off by `error`."""
        if self.gain:
            return 100 * ((1 + prediction / 100) / (1 + error) - 1)
        return prediction / (1 + error)


@dataclass(frozen=True)
class Case:
    """One reading of one claim.

    Attributes
    ----------
    assumptions : tuple of Assumption
        What is sampled.
    options : Options
        What is enumerated.
    predict : callable
        ``predict(options, rows, values)`` gives the predictions, shape (N,) or, for a joint claim, (parts, N);
        `rows` (N,) are positions in `options`, `values` maps each assumption to an array (N,).
    methods : callable
        ``methods(options, values)`` with scalar assumptions gives ``{name: {estimate, standard_error, shares}}``.
    lines : callable
        ``lines()`` gives ``{name: {estimate, interval, note}}``.
    evidence : tuple of str
        Citation keys of the data behind it.
    model_error : ModelError or None
    model_error_reason : str
        Why there is no model error, where there is none.
    calibrate, validate : tuple of str
        Citation keys of the measurements on which its constants were fitted, and of those that test the model.
    refitted : dict of str to callable
        For each large source of the calibrate rows, a function that gives the same case with constants fitted without
        it.
    """

    assumptions: tuple[Assumption, ...]
    options: Options
    predict: Callable
    methods: Callable
    lines: Callable
    evidence: tuple[str, ...]
    model_error: ModelError | None = None
    model_error_reason: str = "no constant is fitted"
    calibrate: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    refitted: Mapping[str, Callable] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What a prediction is held against.

    Attributes
    ----------
    comparators : tuple of str
        One a part; a simple claim has one part.
    values : ndarray of shape (parts,)
        The claimed numbers.
    tolerance : float
        Width of `eq`, as a fraction of the claimed number.
    """

    comparators: tuple[str, ...]
    values: np.ndarray
    tolerance: float

    @property
    def share_needed(self):
        """The share from which the claim counts as reproduced."""
        return 0.05 if self.comparators[0] == "up_to" else 0.5
