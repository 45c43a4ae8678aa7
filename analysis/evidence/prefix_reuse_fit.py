"""The model of the first token against prefix reuse timed on one machine; fitted on runs without reuse alone."""

import numpy as np

from analysis.evidence.prefix_reuse import FULL, LOAD, MEMORY, RECOMPUTED
from analysis.models.first_token import Prefiller, attention_s, first_token_s, matrix_s
from analysis.models.transformer_costs import attention_pairs, key_value_bytes

BYTES_PER_VALUE = np.dtype(np.float32).itemsize
FASTEST = 1e12  # stands for a rate that the runs cannot tell from an infinite one
MACHINES = 10_000  # drawn to look for one that breaks the bound
ROUNDING = 1e-12
QUARTILES = (0.25, 0.75)


def fastest(runs):
    """Return the fastest run of every case, indexed by what, tier, prompt_tokens and cached_tokens.

    Other programs only ever slow a run down: the fastest of several is what the machine takes.
    """
    return runs.groupby(["what", "tier", "prompt_tokens", "cached_tokens"])["seconds"].min()


def prefiller(shape, runs):
    """Fit what one machine does with a prompt, on its runs without a cached prefix.

    Parameters
    ----------
    shape : Transformer
    runs : pandas.DataFrame
        Of `analysis.evidence.prefix_reuse.measured`.

    Returns
    -------
    Prefiller
        Fixed time, and the rates that products of matrices and attention reach; least squares of relative errors.
    """
    times = fastest(runs)[FULL, RECOMPUTED]
    prompts = times.index.get_level_values("prompt_tokens").to_numpy(dtype=float)
    matrices = matrix_s(shape, prompts, 1, 1.0, 0.0, 1.0)
    attention = attention_s(shape, attention_pairs(shape, prompts, 0), 0.0, 1.0)
    fixed_s, matrix, own = _positive(np.column_stack((np.ones_like(prompts), matrices, attention)), times)
    return Prefiller(_rate(matrix), utilisation=1.0, fixed_s=fixed_s, attention_tflops=_rate(own))


def load_rates(shape, runs):
    """Fit the load of a prefix from each tier that is no memory, timed by itself.

    Parameters
    ----------
    shape : Transformer
    runs : pandas.DataFrame

    Returns
    -------
    dict of str to tuple of float
        Tier to GB/s and seconds before the first byte.
    """
    found, loads = {MEMORY: (np.inf, 0.0)}, fastest(runs)[LOAD]
    for tier in loads.index.unique("tier")[::-1]:
        times = loads[tier]
        size = key_value_bytes(shape, times.index.get_level_values("cached_tokens"), BYTES_PER_VALUE) / 1e9
        lookup_s, slope = _positive(np.column_stack((np.ones_like(size), size)), times)
        found[tier] = (_rate(slope), lookup_s)
    return found


def _positive(terms, times):
    """Coefficients of at least 0 with the least squares of relative errors."""
    from scipy.optimize import nnls

    times = np.asarray(times, dtype=float)
    scale = np.linalg.norm(terms / times[:, None], axis=0)  # columns differ by many powers of ten
    return nnls(terms / times[:, None] / scale, np.ones(len(times)))[0] / scale


def _rate(slope):
    return float(1 / max(slope, 1 / FASTEST))


def cut(shape, machine, prompt_tokens, cached_tokens, load=(np.inf, 0.0)):
    """Return the part of the time to first token that a cached prefix saves, as the model has it.

    Parameters
    ----------
    shape : Transformer
    machine : Prefiller
    prompt_tokens, cached_tokens : array_like
    load : tuple of float
        GB/s, and seconds before the first byte.

    Returns
    -------
    ndarray
        Below 0 where the load takes longer than it saves.
    """
    prompt, (load_GBps, lookup_s) = np.asarray(prompt_tokens, dtype=float), load
    times = {"kv_bytes_per_value": BYTES_PER_VALUE, "lookup_s": lookup_s}
    reused = first_token_s(shape, machine, prompt, np.asarray(cached_tokens) / prompt, load_GBps, **times)
    return 1 - reused / first_token_s(shape, machine, prompt, 0.0, np.inf)


def largest_excess(shape, lengths, fractions, *, seed, machines=MACHINES):
    """Return by how much the model's cut exceeds the cached fraction at most, over random machines.

    Parameters
    ----------
    shape : Transformer
    lengths, fractions : sequence of float
    seed, machines : int
        Machines whose rates, fixed times, floors and loads are drawn over many powers of ten.

    Returns
    -------
    float
        No more than 0, but for rounding: a bound of the model and not of its constants.
    """
    random = np.random.default_rng(seed)

    def drawn(low, high):
        return 10 ** random.uniform(low, high, machines)[:, None, None]

    floor = {"launch_s": drawn(-6, 0), "weight_bytes": drawn(3, 12), "memory_GBps": drawn(0, 4)}
    machine = Prefiller(drawn(-3, 3), drawn(-2, 0), drawn(-6, 0), attention_tflops=drawn(-3, 3), **floor)
    prompt, part = np.asarray(lengths, dtype=float)[:, None], np.asarray(fractions, dtype=float)
    load = (drawn(-3, 4), drawn(-6, -1))
    return float(np.max(cut(shape, machine, prompt, part * prompt, load) - part))


def compared(shape, runs, machine, loads):
    """Put the measured cut beside the predicted one, case by case.

    Parameters
    ----------
    shape : Transformer
    runs : pandas.DataFrame
    machine : Prefiller
    loads : dict
        Of `load_rates`.

    Returns
    -------
    pandas.DataFrame
        tier, prompt_tokens, cached_tokens, fraction, seconds, cut (fastest run against fastest run), low and high
        (quartiles of the cut within a round), halves (difference between the cuts of every other round), predicted.
    """
    import pandas as pd

    runs = runs[runs["what"] == FULL]
    every_other = [cuts(runs[runs["round"] % 2 == half]) for half in (0, 1)]
    within = pd.concat({number: cuts(part) for number, part in runs.groupby("round")})
    low, high = (within.groupby(level=[1, 2, 3]).quantile(end) for end in QUARTILES)
    rows = cuts(runs).rename("cut").to_frame()
    rows = rows.assign(low=low, high=high, halves=(every_other[0] - every_other[1]).abs())
    rows["seconds"] = fastest(runs)[FULL].reindex(rows.index)
    rows = rows.loc[list(loads)].reset_index()
    rows["fraction"] = rows["cached_tokens"] / rows["prompt_tokens"]
    rows["predicted"] = [
        float(cut(shape, machine, row.prompt_tokens, row.cached_tokens, loads[row.tier])) for row in rows.itertuples()
    ]
    return rows


def agreement(rows):
    """Return, tier by tier and over all, how far the cuts lie from their predictions and from their repeats.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of `compared`.

    Returns
    -------
    pandas.DataFrame
        Index tier or "all"; cases, error and worst (median and largest difference from the prediction), bias (median
        of predicted less measured), bound_error (median difference from the cached fraction), halves (median
        difference between two halves of the repeats), above (cases whose cut exceeds the cached fraction).
    """
    import pandas as pd

    def told(part):
        off = part["predicted"] - part["cut"]
        return {
            "cases": len(part),
            "error": off.abs().median(),
            "worst": off.abs().max(),
            "bias": off.median(),
            "bound_error": (part["fraction"] - part["cut"]).abs().median(),
            "halves": part["halves"].median(),
            "above": int((part["cut"] > part["fraction"]).sum()),
        }

    found = {tier: told(part) for tier, part in rows.groupby("tier", sort=False)}
    return pd.DataFrame.from_dict(found | {"all": told(rows)}, orient="index")


def cuts(runs):
    """Return the measured cut of every case, indexed by tier, prompt_tokens and cached_tokens."""
    times = fastest(runs)[FULL]
    reused = times[times.index.get_level_values("tier") != RECOMPUTED]
    alone = times[RECOMPUTED].droplevel("cached_tokens")
    return 1 - reused / alone.reindex(reused.index.get_level_values("prompt_tokens")).to_numpy()


def without_reuse(shape, runs, machine, points=60):
    """Return the times that were fitted beside the fit: prompt_tokens, seconds (blank between), predicted."""
    import pandas as pd

    times = fastest(runs)[FULL, RECOMPUTED].droplevel("cached_tokens")
    between = np.linspace(1, times.index.max(), points)
    prompts = np.union1d(between, times.index)
    predicted = first_token_s(shape, machine, prompts, 0.0, np.inf)
    seconds = times.reindex(prompts).to_numpy()
    return pd.DataFrame({"prompt_tokens": prompts, "seconds": seconds, "predicted": predicted})


def curves(plan, machine, loads, points=60):
    """Return the predicted cut over the cached part: tier, prompt_tokens, fraction, predicted."""
    import pandas as pd

    part = np.linspace(0, 1, points)[1:-1]
    found = [
        pd.DataFrame({"fraction": part, "predicted": cut(plan.shape, machine, length, part * length, load)}).assign(
            tier=tier, prompt_tokens=length
        )
        for tier, load in loads.items()
        for length in plan.lengths
    ]
    return pd.concat(found, ignore_index=True)
