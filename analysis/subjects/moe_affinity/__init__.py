"""One expert a card against many: what a card puts out, computes and waits for when a model's experts are spread wide.

Both sides serve the same model on the same cards with the same limit on the time per token; each takes the largest
batch that this limit and the memory left by its weights allow. Spread over few ranks, many experts share a card: their
weights take memory, and each is read for few tokens. Spread over as many ranks as there are experts, tokens travel
farther and every rank waits for the one with the most popular expert.
"""

import numpy as np

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.judgement.case import Case
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.subjects.model import ClaimModel, Setting
from analysis.subjects.moe_affinity import lines as evidence_lines
from analysis.subjects.moe_affinity import loop as plain_loop
from analysis.subjects.moe_affinity.crowding import SKEW
from analysis.subjects.moe_affinity.layouts import MANY_RANKS, MODELS, SPARES, SYSTEMS, options_of, pairs, sides
from analysis.subjects.moe_affinity.steps import CONTEXT, LIMIT, MEMORY, operating

CLAIM = "moe-affinity.one-expert"
ASSUMPTIONS = (LIMIT, CONTEXT, SKEW, *MEMORY)
THROUGHPUT, COMPUTE, COMMUNICATION = READINGS = (
    "throughput-at-tpot",
    "compute-efficiency",
    "communication-efficiency",
)

# As many times as much: stands for a side that serves where the other cannot.
FAR = 10.0


def _words(*accepted):
    return lambda facts: ("all", *map(str, accepted))


SETTINGS = (
    Setting("model", "all", "models that are served", options=_words(*MODELS), several=True),
    Setting("system", "all", "cards and what joins their servers", options=_words(*SYSTEMS), several=True),
    Setting("spares", "all", "with or without copies of popular experts", options=_words(*SPARES), several=True),
    Setting(
        "many_ranks",
        "all",
        "ranks that share all experts on the side with many a card",
        options=_words(*MANY_RANKS),
        several=True,
    ),
)


def figure(reading, found, sequences):
    """Return what one side reaches under a reading, the more the better.

    Parameters
    ----------
    reading : str
    found : Operating
    sequences : ndarray
        Of one rank.

    Returns
    -------
    ndarray
        Tokens a second and rank, share of peak arithmetic, or tokens for each second of dispatch and combine. 0 where
        the side serves no sequence.
    """
    if reading == THROUGHPUT:
        return sequences / found.step_s
    if reading == COMPUTE:
        return np.where(sequences > 0, found.expert_share, 0.0)
    return sequences / found.exchange_s


def ratio(one, many):
    """Return one expert over many, never beyond `FAR` either way, which stands for a side that alone serves."""
    return np.clip(one / np.maximum(many, one / FAR), 1 / FAR, FAR)


def compared(facts, settings):
    """Return every comparison of the settings: pairs of sides on which a sequence fits at the modes."""
    modes = {one.name: one.mode for one in declared_assumptions(facts, ASSUMPTIONS)}
    memory = {name: modes[name] for name in MEMORY}
    return pairs(facts, settings, lambda side: float(side.sequences(modes[CONTEXT], **memory)))


def ratios(facts, reading, listed, options, rows, values):
    """Return one expert over many for chosen comparisons, shape (N,)."""
    one, many = (operating(facts, listed, options.columns[name][rows], values) for name in ("one", "many"))
    # Where neither keeps the limit, or has room, both are compared as fast as they can be: with one sequence.
    neither = (one.sequences == 0) & (many.sequences == 0)
    return ratio(*(figure(reading, side, np.where(neither, 1.0, side.sequences)) for side in (one, many)))


def _case(facts, settings, reading, assumptions):
    pairs_found = compared(facts, settings)
    listed, options = sides(pairs_found), options_of(facts, pairs_found)

    def predict(options, rows, values):
        return ratios(facts, reading, listed, options, rows, values)

    def methods(options, values):
        rows = np.arange(len(options))
        found = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
        weight = option_weights(options)
        looped = [
            ratio(*plain_loop.both(facts, reading, listed[one], listed[many], values))
            for one, many in zip(options.columns["one"], options.columns["many"], strict=True)
        ]
        shared = ["time of each operator", "data/calibration.csv", "data/transformers.csv", "data/accelerators.csv"]
        closed, drawn = (weighted_quantile(np.array(one), weight, [0.5]).tolist() for one in (found, looped))
        return {
            "closed form": {"estimate": closed, "standard_error": 0.0, "shares": shared},
            "drawn loads, played schedule": {"estimate": drawn, "standard_error": 0.0, "shares": shared},
        }

    def lines():
        return evidence_lines.lines_of(facts, reading, listed, options, assumptions)

    error = evidence_lines.model_error(facts, reading)
    keys = {key for rows in options.sources for row in rows for key in row}
    return Case(
        assumptions,
        options,
        predict,
        methods,
        lines,
        tuple(sorted({*keys, *evidence_lines.sources(facts)})),
        model_error=error,
        model_error_reason="" if error else "no measurement that was not fitted is predicted",
        calibrate=evidence_lines.measured_sources(facts, "calibrate"),
        validate=evidence_lines.measured_sources(facts, "validate"),
    )


def case_of(facts, parameters, reading):
    """Return the case of one reading, with the settings of a record and every assumption open."""
    return _case(facts, parameters, reading, declared_assumptions(facts, ASSUMPTIONS))


CLAIMS = (ClaimModel(CLAIM, "04_moe_affinity", ASSUMPTIONS, SETTINGS, READINGS, _case),)
