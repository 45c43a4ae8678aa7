"""One function answers a claim; notebook, sweep, tests and pages all call it."""

import numpy as np

from analysis.errors import ParameterError, nearest
from analysis.evaluation.answers import judged, overlay_name, point, unanswered, unjudged
from analysis.evaluation.questions import asked_questions, cached, checked_pins
from analysis.facts import open_facts
from analysis.facts.ledger import ledger_claim
from analysis.judgement import verdict
from analysis.subjects import MODELS

DETAILS = ("point", "verdict", "record")


def evaluate(claim_id, *, detail="record", seed=0, samples=8192, data=None, **pins):
    """Judge one claim of the ledger.

    Parameters
    ----------
    claim_id : str
        An id of ``data/claims.csv``.
    detail : str
        "point": every assumption at its mode, estimate and share alone. "verdict": sampled, with every reading.
        "record": everything.
    seed : int
        Of every random number.
    samples : int
        Points drawn from the declared ranges.
    data : str or Path, optional
        Folder of the reader's own tables, laid over the project's row by row.
    **pins
        Assumptions held at one value, and settings of the claim; see `parameters`.

    Returns
    -------
    Record

    Raises
    ------
    ParameterError
        For an unknown claim or parameter, a wrong type, a value out of range, or pins that leave nothing to judge.
    DataError
        For a table that is missing or wrong.
    """
    if detail not in DETAILS:
        raise ParameterError(f"detail: {detail!r}. {nearest(detail, DETAILS)}")
    _check_count("samples", samples, 16)
    _check_count("seed", seed, 0)
    facts = open_facts(data)
    claim = cached(facts, ("claim", claim_id), lambda: ledger_claim(facts, claim_id))
    if claim_id not in MODELS or not claim.computable:
        if pins:
            raise ParameterError(f"{claim_id}: no parameter {next(iter(pins))!r}; this claim has none")
        return unanswered(claim, data, seed)
    settings, pinned = checked_pins(facts, claim_id, pins)
    questions = asked_questions(facts, claim, settings, pinned)
    chosen = [setting.name for setting in MODELS[claim_id].settings if settings[setting.name] != setting.default]
    given = {"parameters": {**settings, **pinned}, "pinned": sorted([*chosen, *pinned]), "seed": seed}
    given["data_overlay"] = overlay_name(data)
    if detail == "point":
        return point(claim, questions, given)
    return judged(claim, questions, given, samples, seed, full=detail == "record")


def _check_count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ParameterError(f"{name}: {value!r}; expected a whole number of {least} or more")


def open_record(claim_id, why, data=None):
    """Return the record of a claim that has not been judged, with the reason.

    Parameters
    ----------
    claim_id : str
    why : str
        Such as "notebook 01_bandwidth_gap has not been run".
    data : str or Path, optional

    Returns
    -------
    Record
        With the verdict "open".
    """
    return unjudged(ledger_claim(open_facts(data), claim_id), verdict.OPEN, why, data, seed=0)


def claims(data=None):
    """Return the ledger: one row a claim, in its order."""
    return open_facts(data).table("claims").copy()


def load(name, data=None):
    """Return a copy of one checked table of ``data/`` (with an overlay laid over it), by its file's name."""
    return open_facts(data).table(name).copy()
