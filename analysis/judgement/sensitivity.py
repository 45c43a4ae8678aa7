"""What decides a prediction (total-order Sobol indices) and where the claim just holds (break-even)."""

import numpy as np

from analysis.judgement import uncertainty
from analysis.judgement.verdict import held, margins

SALTELLI_SAMPLES = 1024
# Half of a share, by which a set of options as a whole holds or does not.
HALF = 0.5


def worst_margin(case, target, rows, values):
    """Return the margin of the part that misses most, shape (N,)."""
    prediction = np.atleast_2d(case.predict(case.options, rows, values))
    return margins(prediction, target).min(axis=0)


def drivers(case, weight, target, seed):
    """Return the total-order index of every assumption and choice, largest first.

    Assumptions: Saltelli's design, the estimator of SALib. Choices: the mean variance inside groups that agree in
    all other choices, over the total variance. A joint claim is described by the margin of its worst part.

    Parameters
    ----------
    case : Case
    weight : ndarray of shape (K,)
        Weights of the options.
    target : Target
    seed : int

    Returns
    -------
    dict of str to float
        Source: [saltelli2010variance], [herman2017salib].
    """
    output = _output(case, target)
    found = {}
    if case.assumptions:
        unit, count = _saltelli(case, seed)
        values, rows = uncertainty.at_unit(case.assumptions, unit, weight)
        prediction = output(rows, values)
        variance = float(prediction.var())
        found = _total_order(prediction, count, seed) if variance else np.zeros(count)
        found = dict(zip([declared.name for declared in case.assumptions], map(float, found), strict=False))
    at_modes = output(np.arange(len(case.options)), _modes(case, len(case.options)))
    if not case.assumptions:
        variance = _variance(at_modes, weight)
    for name in case.options.choices:
        found[name] = _inside_variance(case.options, name, at_modes, weight) / variance if variance else 0.0
    return dict(sorted(found.items(), key=lambda item: (-round(item[1], 12), item[0])))


def _output(case, target):
    if len(target.values) > 1:
        return lambda rows, values: worst_margin(case, target, rows, values)
    return lambda rows, values: np.atleast_2d(case.predict(case.options, rows, values))[0]


def _problem(count):
    return {"num_vars": count, "names": [str(axis) for axis in range(count)], "bounds": [[0.0, 1.0]] * count}


def _saltelli(case, seed):
    from SALib.sample import sobol

    count = len(case.assumptions) + (len(case.options) > 1)
    rng = np.random.default_rng([seed, 2])
    return sobol.sample(_problem(count), SALTELLI_SAMPLES, calc_second_order=False, seed=rng), count


def _total_order(prediction, count, seed):
    from SALib.analyze import sobol

    # SALib tests its seed for truth, so seed 0 would be no seed; a generator always is one.
    rng = np.random.default_rng([seed, 3])
    found = sobol.analyze(_problem(count), prediction, calc_second_order=False, num_resamples=2, seed=rng)
    return np.maximum(found["ST"], 0.0)


def _modes(case, count):
    return {declared.name: np.full(count, declared.mode) for declared in case.assumptions}


def _variance(values, weight):
    mean = weight @ values / weight.sum()
    return float(weight @ (values - mean) ** 2 / weight.sum())


def _inside_variance(options, name, values, weight):
    """Weighted mean of the variance inside groups that agree in every choice but one."""
    others = [np.unique(options.columns[other], return_inverse=True)[1] for other in options.choices if other != name]
    key = np.stack(others) if others else np.zeros((1, len(options)), dtype=int)
    group = np.unique(key, axis=1, return_inverse=True)[1].reshape(-1)
    mass = np.bincount(group, weight)
    mean = np.bincount(group, weight * values) / mass
    return float(weight @ (values - mean[group]) ** 2 / weight.sum())


def break_even(case, weight, target, points=129):
    """Return, for each parameter, the value at which the claim just holds with all others at their mode.

    Where options are open, the claim holds at a value when half of them do. Of several crossings the one nearest
    to the mode counts. For a choice it is the list of values that hold.

    Parameters
    ----------
    case : Case
    weight : ndarray of shape (K,)
    target : Target
    points : int
        Grid on which crossings are looked for.

    Returns
    -------
    found : dict
        Parameter to value, list of values, or None.
    reasons : dict
        Parameter to the reason for a None.
    """
    found, reasons = {}, {}
    for declared in case.assumptions:
        found[declared.name] = _crossing(case, weight, target, declared, points)
        if found[declared.name] is None:
            reasons[declared.name] = f"nothing crosses between {declared.low:g} and {declared.high:g}"
    holds = held(worst_margin(case, target, np.arange(len(case.options)), _modes(case, len(case.options))))
    for name in case.options.choices:
        found[name] = _holding_values(case.options.columns[name], holds, weight) or None
        if found[name] is None:
            reasons[name] = "no value at which half of the other options hold"
    return found, reasons


def _holding_values(column, holds, weight):
    words, code = np.unique(column, return_inverse=True)
    share = np.bincount(code, weight * holds) / np.bincount(code, weight)
    return [word.item() if hasattr(word, "item") else word for word in words[share >= HALF]]


def _crossing(case, weight, target, declared, points):
    from scipy.optimize import brentq

    count = len(case.options)

    def typical_margin(setting):
        """Median over the options of the margin, at one value of the assumption."""
        values = _modes(case, count) | {declared.name: np.full(count, float(setting))}
        margin = worst_margin(case, target, np.arange(count), values)
        return float(uncertainty.weighted_quantile(margin, weight, [HALF])[0])

    grid = np.unique([*uncertainty.quantile(uncertainty.flattened(declared), np.linspace(0, 1, points)), declared.mode])
    margin = np.array([typical_margin(setting) for setting in grid])
    crossings = np.flatnonzero(held(margin[:-1]) != held(margin[1:]))
    if not len(crossings):
        return None
    nearest = min(crossings, key=lambda left: _distance(grid[left : left + 2], declared.mode))
    low, high = grid[nearest], grid[nearest + 1]
    if margin[nearest] * margin[nearest + 1] >= 0:
        return float(low if abs(margin[nearest]) <= abs(margin[nearest + 1]) else high)
    return float(brentq(typical_margin, low, high, xtol=1e-9 * max(abs(low), abs(high), 1e-12)))


def _distance(interval, mode):
    return max(interval[0] - mode, mode - interval[1], 0.0)
