"""MatrixLink: what joining 384 cards by one fast fabric adds to training and inference of large models.

Both sides have the same cards and the same software; each trains with the fastest layout that fits into its memory and
serves with the degree of parallelism that suits it best. The article names no baseline: servers of eight with a slow
or a fast network between them, and racks of 72, are enumerated.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from analysis.facts.units import PER_CENT
from analysis.judgement.case import Case
from analysis.judgement.uncertainty import option_weights
from analysis.subjects.matrixlink import lines as evidence_lines
from analysis.subjects.matrixlink import loop as plain_loop
from analysis.subjects.matrixlink import serving, training
from analysis.subjects.matrixlink.sides import (
    BASELINES,
    EXCHANGES,
    LEAST_PART,
    MODELS,
    PHASES,
    SERVER_CARDS,
    SIZES,
    baseline,
    joined,
    options_of,
)
from analysis.subjects.model import ClaimModel, Setting

CLAIM = "matrixlink.gain"
TRAINING, INFERENCE = "training", "inference"
BEFORE, AFTER = ENDS = ("before", "after")
READINGS = ("both", TRAINING, INFERENCE, "at-least-20")
ASSUMPTIONS = (*training.ASSUMPTIONS, serving.LIMIT, serving.CONTEXT)


def _words(*accepted):
    return lambda facts: ("all", *map(str, accepted))


SETTINGS = (
    Setting("model", "all", "models that are judged", options=_words(*MODELS), several=True),
    Setting("baseline", "all", "what joins the cards without MatrixLink", options=_words(*BASELINES), several=True),
    Setting("cards", "all", "cards of the training cluster", options=_words(*SIZES), several=True),
    Setting(
        "exchange",
        "all",
        "exchange of tokens, which waits or is hidden, on both sides",
        options=_words(*EXCHANGES),
        several=True,
    ),
    Setting("phase", "all", "part of inference that is judged", options=_words(*PHASES), several=True),
    Setting("supernode_cards", 384, "cards that MatrixLink joins", "cards", SERVER_CARDS, 384),
)


def placed_sides(facts, settings, options):
    """Return options with columns that say where each combination's two sides stand in the tables, and the tables.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `supernode_cards` is used.
    options : Options

    Returns
    -------
    Options
    tables : dict of str to ndarray
        "trained" (card-seconds of a token) and "served" (tokens a second and card), one side a row.
    """
    ours, columns, tables = joined(facts, settings["supernode_cards"]), dict(options.columns), {}
    kinds = {
        "trained": (
            ("model", "cards", "exchange"),
            lambda side, *row: training.trained(facts, row[0], side, *row[1:]).token_s,
        ),
        "served": (("model", "phase"), lambda side, *row: serving.served(facts, row[0], side, row[1])),
    }
    for kind, (names, ask) in kinds.items():
        if not set(names) <= set(columns):
            continue
        rows, cells = list(zip(*(columns[name] for name in names), strict=True)), {}
        for end in ENDS:
            sides = [baseline(facts, name) if end == BEFORE else ours for name in columns["baseline"]]
            keys = [(side, *row) for side, row in zip(sides, rows, strict=True)]
            columns[f"{kind}_{end}"] = np.array([cells.setdefault(key, len(cells)) for key in keys], dtype=int)
        tables[kind] = np.stack([ask(*key) for key in cells])
    return replace(options, columns=columns), tables


def training_gain(facts, tables, options, rows, values):
    """Return by how many per cent training is faster in the supernode, shape (N,).

    Parameters
    ----------
    facts : Facts
    tables : dict of str to ndarray
    options : Options
        Both as of `placed_sides`.
    rows : ndarray of int, shape (N,)
    values : dict of str to ndarray, shape (N,)
    """
    before, after = (
        training.token_s(facts, tables["trained"], options.columns[f"trained_{end}"][rows], values) for end in ENDS
    )
    return PER_CENT * (before / after - 1)


def inference_gain(facts, tables, options, rows, values):
    """Return by how many per cent inference puts out more in the supernode, shape (N,).

    Parameters
    ----------
    facts, tables, options, rows, values
        As of `training_gain`.

    Returns
    -------
    ndarray
        0 where neither side serves a token within the limit.
    """
    before, after = (
        serving.rate(facts, tables["served"], options.columns[f"served_{end}"][rows], values) for end in ENDS
    )
    least = np.maximum(before, LEAST_PART * after)
    return PER_CENT * np.where(after == before, 0.0, after / np.where(least > 0, least, 1.0) - 1)


def gain(facts, reading, tables, options, rows, values):
    """Return the gain of a reading in per cent, shape (N,).

    A statement about both holds only as far as the smaller of the two gains, so that is the prediction where training
    and inference are said to gain together.
    """
    parts = []
    if reading != INFERENCE:
        parts.append(training_gain(facts, tables, options, rows, values))
    if reading != TRAINING:
        parts.append(inference_gain(facts, tables, options, rows, values))
    return np.minimum.reduce(parts)


def _case(facts, settings, reading, assumptions):
    open_ones = options_of(facts, settings, with_training=reading != INFERENCE, with_inference=reading != TRAINING)
    options, tables = placed_sides(facts, settings, open_ones)

    def predict(options, rows, values):
        return gain(facts, reading, tables, options, rows, values)

    error = evidence_lines.model_error(facts, reading)
    keys = {key for rows in options.sources for row in rows for key in row}
    return Case(
        assumptions,
        options,
        predict,
        partial(_methods, facts, settings, reading, predict),
        lambda: evidence_lines.lines_of(facts, reading),
        tuple(sorted({*keys, *evidence_lines.sources(facts, reading)})),
        model_error=error,
        model_error_reason="" if error else "no ratio of two measurements that were not fitted is predicted",
        calibrate=evidence_lines.measured_sources(facts, reading, "calibrate"),
        validate=evidence_lines.measured_sources(facts, reading, "validate"),
    )


def _methods(facts, settings, reading, predict, options, values):
    rows, weight = np.arange(len(options)), option_weights(options)
    found = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
    played = plain_loop.gains(facts, settings, reading, options, values)
    shared = [
        "time of each operator",
        "layouts that are tried",
        "data/calibration.csv",
        "data/transformers.csv",
        "data/accelerators.csv",
    ]
    # Means: the median lies among dense models, whose gains of a few per cent are too small to tell methods apart.
    closed, looped = ([float(weight @ np.array(one))] for one in (found, played))
    return {
        "closed form": {"estimate": closed, "standard_error": 0.0, "shares": shared},
        "schedules played event by event": {"estimate": looped, "standard_error": 0.0, "shares": shared},
    }


CLAIMS = (ClaimModel(CLAIM, "03_matrixlink", ASSUMPTIONS, SETTINGS, READINGS, _case),)
