"""What a reader asks of MatrixLink: the gain by baseline, model and size, and where the time of a step goes."""

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.units import PER_CENT
from analysis.models.training import tokens_per_s_per_card
from analysis.subjects.matrixlink import (
    ASSUMPTIONS,
    INFERENCE,
    TRAINING,
    inference_gain,
    placed_sides,
    training,
    training_gain,
)
from analysis.subjects.matrixlink.sides import baseline, joined, options_of

# Parts of a step, in the order in which they are drawn; each a sum of fields of `analysis.models.training.Step`.
PARTS = {
    "computation, tensor parallelism": ("computation_s", "optimiser_s"),
    "exchange of tokens": ("exchange_s",),
    "gradients and parameters": ("gradient_s",),
    "pipeline: hand-over, waiting": ("hop_s", "bubble_s"),
}


def at_modes(facts, given):
    """Return one value for each assumption: what is given, else its mode."""
    return {one.name: given.get(one.name, one.mode) for one in declared_assumptions(facts, ASSUMPTIONS)}


def gains(facts, settings, values, kind):
    """Return the gain of every combination that bears on training, or on inference.

    Parameters
    ----------
    facts : Facts
    settings : dict
    values : dict of str to float
        One value for each assumption.
    kind : str
        "training" or "inference".

    Returns
    -------
    pandas.DataFrame
        model, kind, baseline, what else was enumerated, and gain (per cent).
    """
    open_ones = options_of(facts, settings, with_training=kind == TRAINING, with_inference=kind == INFERENCE)
    options, tables = placed_sides(facts, settings, open_ones)
    rows = np.arange(len(options))
    many = {name: np.full(len(rows), value) for name, value in values.items()}
    found = (training_gain if kind == TRAINING else inference_gain)(facts, tables, options, rows, many)
    names = (*options.choices, "kind")
    return pd.DataFrame({name: options.columns[name] for name in names}).assign(gain=found)


def gains_by_domain(facts, settings, values, domains, kind):
    """Return the gain over the cards that the fast fabric joins; see `gains`, with a column supernode_cards."""
    found = [
        gains(facts, settings | {"supernode_cards": int(cards)}, values, kind).assign(supernode_cards=int(cards))
        for cards in domains
    ]
    return pd.concat(found, ignore_index=True)


def cards_enough(table, within=1.0):
    """Return from how many joined cards on every model gains what it gains with the most, but for some points.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `gains_by_domain`.
    within : float
        Percentage points.

    Returns
    -------
    int
    """
    whole = table[table["supernode_cards"] == table["supernode_cards"].max()].set_index("model")["gain"]
    near = table["gain"] >= table["model"].map(whole) - within
    return int(table[near].groupby("model")["supernode_cards"].min().max())


def both_gains(facts, settings, values):
    """Return training and inference gains of every combination of both, side by side."""
    tables = [gains(facts, settings, values, kind) for kind in (TRAINING, INFERENCE)]
    return pd.merge(*tables, on=["model", "kind", "baseline"], suffixes=("_training", "_inference"))


def step_parts(facts, settings, values, exchange):
    """Return where the time of a step goes on both sides, each with its own fastest layout.

    Parameters
    ----------
    facts : Facts
    settings : dict
    values : dict of str to float
    exchange : str

    Returns
    -------
    pandas.DataFrame
        model, cards, baseline, side ("before" or "after"), a column for each of `PARTS` (shares of the step before),
        exposed (share of a side's own step that is not computation), layout, batch (sequences),
        tokens_per_s_per_card.
    """
    rows = []
    batch = int(np.argmin(np.abs(np.log(training.batch_nodes() / values[training.BATCH]))))
    open_ones = options_of(facts, settings | {"exchange": exchange}, with_training=True, with_inference=False)
    columns = (open_ones.columns[name] for name in ("model", "baseline", "cards"))
    for model, name, cards in zip(*columns, strict=True):
        before_s = None
        for end, side in (("before", baseline(facts, name)), ("after", joined(facts, settings["supernode_cards"]))):
            (layout,) = training.fastest_at(facts, model, side, cards, exchange, values, batch, 1)
            step, _ = training.step_and_segments(facts, model, side, layout, exchange, values)
            total_s = float(step.total_s)
            before_s = before_s or total_s
            parts = {part: sum(float(getattr(step, one)) for one in fields) for part, fields in PARTS.items()}
            row = {"model": model, "cards": int(cards), "baseline": name, "side": end, "total": total_s / before_s}
            row |= {part: seconds / before_s for part, seconds in parts.items()}
            row |= {"exposed": 1 - parts["computation, tensor parallelism"] / total_s, "layout": layout_words(layout)}
            row |= {"batch": layout.global_batch}
            rows.append(row | {"tokens_per_s_per_card": float(tokens_per_s_per_card(layout, total_s))})
    return pd.DataFrame(rows)


def layout_words(layout):
    """Return the degrees of parallelism of a layout as text."""
    names = {
        "TP": layout.tensor,
        "PP": layout.pipeline,
        "VPP": layout.virtual,
        "CP": layout.context,
        "EP": layout.expert,
    }
    return " ".join(f"{name}{degree:g}" for name, degree in names.items() if degree > 1)


def exposed_share_needed(gain):
    """Return the share of a step that must wait for links, so that links without cost would bring a gain.

    Parameters
    ----------
    gain : float
        A fraction, as all of them.

    Examples
    --------
    >>> round(exposed_share_needed(0.25), 3)
    0.2
    """
    return gain / (1 + gain)


def indistinct(claimed, error):
    """Return the gains in per cent that the model, off by its own error, may predict where the truth is as claimed."""
    if error is None:
        return None
    low, high = ((PER_CENT + claimed) * (1 + one) - PER_CENT for one in error)
    return low, high
