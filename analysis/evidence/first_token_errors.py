"""How far predicted effects of a cached prefix are from measured ones, and how far repeated measurements differ."""

from itertools import combinations

import pandas as pd

from analysis.evidence.errors import scored

TABLE = "ttft"
# What two measurements must share for their ratio to tell what a cached prefix is worth.
SAME = (
    "deployment",
    "model",
    "input_tokens",
    "output_tokens",
    "concurrency",
    "arrival",
    "requests",
    "engine",
)

# What a source states of a run, besides the layout that is the rule where nothing is said.
STATED = ("engine", "accelerator", "accelerators", "model", "input_tokens", "concurrency", "arrival", "requests")


def reuse_errors(facts):
    """Return how far predicted effects of a cached prefix are from measured ones, on rows that were not fitted.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        One pair of measurements a row, equal but for hit fraction and tier, at least one of them not fitted: first (the
        one with the larger hit), second, system, deployment, concurrency, measured, predicted (time over time), error
        (of the ratio, as a fraction), cut_error (of one less the ratio).
    """
    rows = facts.table(TABLE).set_index("id")
    found = scored(facts, (TABLE,), ("calibrate", "validate"))
    found = found[found["predicted"].notna()]
    joined = found.join(rows[[*SAME, "prefix_hit_fraction"]], on="id")
    pairs = []
    for key, group in joined.groupby(list(SAME), sort=False):
        for one, other in combinations(group.itertuples(index=False), 2):
            high, low = sorted((one, other), key=lambda row: -float(row.prefix_hit_fraction or 0))
            if high.prefix_hit_fraction == low.prefix_hit_fraction or "validate" not in (one.role, other.role):
                continue
            measured, predicted = high.measured / low.measured, high.predicted / low.predicted
            shown = (high.id, low.id, high.system, key[0], float(high.concurrency), measured, predicted)
            pairs.append((*shown, predicted / measured - 1, measured - predicted))
    columns = ["first", "second", "system", "deployment", "concurrency", "measured", "predicted", "error", "cut_error"]
    return pd.DataFrame(pairs, columns=columns)


def repeats(facts):
    """Return pairs of measurements whose stated conditions are equal: what no model of these conditions can tell apart.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        first, second, deployment, other_deployment, ratio (larger over smaller). A figure that one source prints twice
        is no repeat.
    """
    rows = facts.table(TABLE)
    rows = rows[rows["accelerator"] != ""]
    found = []
    for _, group in rows.groupby([*STATED, "prefix_hit_fraction", "tier"], sort=False):
        for one, other in combinations(group.itertuples(index=False), 2):
            low, high = sorted((one.value, other.value))
            if one.deployment != other.deployment or low < high:
                found.append((one.id, other.id, one.deployment, other.deployment, high / low))
    return pd.DataFrame(found, columns=["first", "second", "deployment", "other_deployment", "ratio"])
