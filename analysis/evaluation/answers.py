"""What is answered: records put together from what the judgement found."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.evaluation.told import conditions
from analysis.judgement import judge, sensitivity, uncertainty, verdict
from analysis.judgement.record import Record

# Two methods disagree when they differ by more than this AND by more than three standard errors.
AGREEMENT = 0.10
STANDARD_ERRORS = 3
COSTLY = ("robustness", "fragile", "break_even", "drivers", "methods", "methods_agree", "lines")
SAMPLED = ("readings", "interval", "model_error", "region", "conditions", *COSTLY)
POINT_REASONS = dict.fromkeys((*SAMPLED, "data_overlay"), "a point: every assumption at its mode, nothing sampled")


def overlay_name(data):
    """Return the name of a reader's folder, without the path, which would differ from machine to machine."""
    return Path(data).resolve().name if data else None


def unanswered(claim, data, seed):
    """The record of a claim that nothing computes: the ledger says so, or no module covers it yet."""
    if claim.computable:
        return unjudged(claim, verdict.OPEN, "no claim module covers it yet", data, seed)
    return unjudged(claim, verdict.NOT_COMPUTABLE, claim.reason, data, seed)


def unjudged(claim, found, why, data, seed):
    """Return a record with a verdict that no prediction decides, and one reason for every empty field."""
    record = Record(
        **_ledger_fields(claim, claim.value),
        verdict=found,
        conditions=f"{why[0].upper()}{why[1:].rstrip('.')}.",
        data_overlay=overlay_name(data),
        seed=seed,
        evidence={"keys": [claim.source], "calibrate": [], "validate": []},
    )
    return _with_reasons(record, dict.fromkeys(_empty(record), why))


def _ledger_fields(claim, claimed):
    names = ("id", "title", "statement", "quote", "metric", "unit", "comparator")
    return {name: getattr(claim, name) for name in names} | {"claimed": claimed}


def _empty(record):
    return [name for name, value in record.to_dict().items() if value is None]


def _with_reasons(record, reasons):
    """Give every empty field its reason; a field that no reason names does not apply."""
    missing = {name: reasons.get(name, "does not apply to this claim") for name in _empty(record)}
    # An entry inside a field (a reading, a break-even) keeps its own reason under a dotted name.
    inner = {name: why for name, why in reasons.items() if "." in name}
    return replace(record, reasons=missing | inner)


def _by_part(claim, values):
    """One number for a simple claim, an object keyed by part for a joint one."""
    rows = [None if value is None else np.asarray(value).tolist() for value in values]
    return dict(zip(claim.joint_of, rows, strict=True)) if claim.joint_of else rows[0]


def _claimed(claim, target):
    return _by_part(claim, target.values)


def point(claim, questions, given):
    """Return the record of the headline with every assumption at its mode; an option set answers by its median."""
    reading, question = next(iter(questions.items()))
    case, rows = question.case, np.arange(len(question.weight))
    values = {one.name: np.full(len(rows), one.mode) for one in case.assumptions}
    prediction = np.atleast_2d(case.predict(case.options, rows, values))
    shares = verdict.shares(prediction, question.weight, question.target)
    medians = [uncertainty.weighted_quantile(part, question.weight, [0.5])[0] for part in prediction]
    return Record(
        **_ledger_fields(claim, _claimed(claim, question.target)),
        verdict=verdict.verdict(shares.holds, None, question.target),
        reading=reading,
        estimate=_by_part(claim, medians),
        share=shares.holds,
        share_below=shares.below,
        share_above=shares.above,
        evidence=_evidence(case),
        reasons=POINT_REASONS,
        **given,
    )


def _evidence(case):
    return {"keys": [*case.evidence], "calibrate": [*case.calibrate], "validate": [*case.validate]}


def judged(claim, questions, given, samples, seed, *, full):
    """Return the record of a claim whose every reading was judged.

    Parameters
    ----------
    claim : LedgerClaim
    questions : dict of str to Question
        Reading to what is asked; the first is the headline.
    given : dict
        Parameters, pinned names, seed and overlay of this run.
    samples, seed : int
    full : bool
        Whether robustness, drivers, break-even, methods and lines are wanted too.

    Returns
    -------
    Record
    """
    answers = {
        reading: judge.judge(one.case, one.target, one.weight, samples, seed)
        for reading, one in questions.items()
        if len(one.case.options)
    }
    reading, question = next(iter(questions.items()))
    answer = answers[reading]
    error = question.case.model_error
    reasons = {
        f"readings.{name}": "no combination of the data has this reading under these parameters"
        for name in questions
        if name not in answers
    }
    reasons["model_error"] = question.case.model_error_reason
    reasons["region"] = _region_reason(answer)
    record = Record(
        **_ledger_fields(claim, _claimed(claim, question.target)),
        verdict=answer.verdict,
        reading=reading,
        readings={name: _reading_fields(claim, answers.get(name)) for name in questions},
        estimate=_by_part(claim, answer.estimate),
        interval=_by_part(claim, answer.interval),
        model_error=None if error is None else [error.low, error.high],
        share=answer.shares.holds,
        share_below=answer.shares.below,
        share_above=answer.shares.above,
        region=_region_fields(answer),
        conditions=None,
        evidence=_evidence(question.case),
        **given,
    )
    if full:
        record, more = _completed(claim, record, question, answer, samples, seed)
        reasons |= more
    else:
        reasons |= dict.fromkeys(COSTLY, "asked for the verdict alone")
    record = replace(record, conditions=conditions(claim, record, questions, answers))
    return _with_reasons(record, reasons)


def _region_reason(answer):
    if answer.verdict == verdict.REPRODUCED:
        return "a region is sought only where the claim does not hold in the whole declared set"
    return "no box on at most two parameters has the mass and the share that a region needs"


def _region_fields(answer):
    if answer.region is None:
        return None
    region = answer.region
    return {"box": region.bounds, "mass": region.mass, "density": region.density, "coverage": region.coverage}


def _reading_fields(claim, answer):
    if answer is None:
        return {"estimate": None, "interval": None, "share": None, "verdict": None}
    return {
        "estimate": _by_part(claim, answer.estimate),
        "interval": _by_part(claim, answer.interval),
        "share": answer.shares.holds,
        "verdict": answer.verdict,
    }


def _completed(claim, record, question, answer, samples, seed):
    """The record with everything that takes longer than a verdict."""
    case, target, weight = question.case, question.target, question.weight
    robustness, fragile = judge.robust(case, target, answer, samples, seed)
    break_even, reasons = sensitivity.break_even(case, weight, target)
    methods = case.methods(case.options, {one.name: one.mode for one in case.assumptions})
    lines = case.lines()
    record = replace(
        record,
        robustness=robustness,
        fragile=fragile,
        break_even=break_even,
        drivers=sensitivity.drivers(case, weight, target, seed),
        methods={name: _shaped(claim, method) for name, method in methods.items()},
        methods_agree=agree(methods),
        lines={name: _shaped(claim, line) for name, line in lines.items()},
    )
    return record, {f"break_even.{name}": why for name, why in reasons.items()}


def _shaped(claim, entry):
    """A method or a line with its estimates keyed by part where the claim is joint."""
    shaped = dict(entry, estimate=_by_part(claim, entry["estimate"]))
    if entry.get("interval") is not None:
        shaped["interval"] = _by_part(claim, entry["interval"])
    return shaped


def agree(methods):
    """Return whether every pair of methods agrees within a tenth or three standard errors.

    Examples
    --------
    >>> exact, near, far = ({"estimate": [value], "standard_error": 0.0} for value in (10.0, 9.0, 8.9))
    >>> agree({"a": exact, "b": near}), agree({"a": exact, "b": far})
    (True, False)
    >>> agree({"a": exact, "b": far | {"standard_error": 0.4}})
    True
    """
    estimates = np.array([method["estimate"] for method in methods.values()])
    errors = np.array([np.max(method["standard_error"]) for method in methods.values()])
    gap = np.abs(estimates[:, None] - estimates[None])
    size = np.maximum(np.abs(estimates[:, None]), np.abs(estimates[None]))
    noise = STANDARD_ERRORS * np.hypot(errors[:, None], errors[None])[..., None]
    return bool(np.all((gap <= AGREEMENT * size) | (gap <= noise)))
