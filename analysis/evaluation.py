"""One function answers a claim; notebook, sweep, tests and pages all call it."""

from dataclasses import dataclass, replace

import numpy as np

from analysis.claims import MODELS
from analysis.claims.model import checked_assumption, checked_setting
from analysis.errors import ParameterError, nearest
from analysis.facts import open_facts
from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.ledger import claim_ids, ledger_claim
from analysis.judgement import judge, sensitivity, sentences, uncertainty, verdict
from analysis.judgement.case import Case, Target
from analysis.judgement.record import Record

DETAILS = ("point", "verdict", "record")
TOLERANCE = 0.25
# Two methods disagree when they differ by more than this AND by more than three standard errors.
AGREEMENT = 0.10
STANDARD_ERRORS = 3
KEPT_QUESTIONS = 64
COSTLY = ("robustness", "fragile", "break_even", "drivers", "methods", "methods_agree", "lines")
SAMPLED = ("readings", "interval", "model_error", "region", "conditions", *COSTLY)
POINT_REASONS = dict.fromkeys((*SAMPLED, "data_overlay"), "a point: every assumption at its mode, nothing sampled")
# A median of lines further than this from the estimate is worth a word.
DISSENT = 0.25


@dataclass(frozen=True)
class _Question:
    """One reading of a claim, with what it is held against."""

    label: str
    case: Case
    target: Target
    weight: np.ndarray


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
    claim = _cached(facts, ("claim", claim_id), lambda: ledger_claim(facts, claim_id))
    if claim_id not in MODELS or not claim.computable:
        if pins:
            raise ParameterError(f"{claim_id}: no parameter {next(iter(pins))!r}; this claim has none")
        return _unanswered(claim, data, seed)
    settings, pinned = checked_pins(facts, claim_id, pins)
    questions = _questions(facts, claim, settings, pinned)
    given = {"parameters": {**settings, **pinned}, "pinned": sorted(pins), "seed": seed}
    given["data_overlay"] = str(data) if data else None
    if detail == "point":
        return _point(claim, questions, given)
    return _judged(claim, questions, given, samples, seed, full=detail == "record")


def _check_count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ParameterError(f"{name}: {value!r}; expected a whole number of {least} or more")


def _cached(facts, key, make):
    if key not in facts.derived:
        facts.derived[key] = make()
    return facts.derived[key]


def checked_pins(facts, claim_id, pins):
    """Return the settings of a claim, with defaults filled in, and the pinned assumptions.

    Parameters
    ----------
    facts : Facts
    claim_id : str
        A claim that has a model.
    pins : dict
        Name to value; None leaves an assumption sampled and a setting at its default.

    Returns
    -------
    settings, pinned : dict

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type or a value out of range.
    """
    model = MODELS[claim_id]
    known = {setting.name: setting for setting in model.settings}
    unknown = [name for name in pins if name not in known and name not in model.assumptions]
    if unknown:
        accepted = _accepted(facts, claim_id)
        raise ParameterError(f"{claim_id}: no parameter {unknown[0]!r}. {nearest(unknown[0], accepted)}")
    declared = declared_by_name(facts, model)
    settings = {name: setting.default for name, setting in known.items()}
    pinned = {}
    for name, value in pins.items():
        if value is None:
            continue
        if name in known:
            settings[name] = checked_setting(known[name], value, facts)
        else:
            pinned[name] = checked_assumption(declared[name], value)
    return settings, pinned


def declared_by_name(facts, model):
    """Return the declared assumptions of a claim model, keyed by name."""
    key = ("assumptions", model.id)
    return _cached(facts, key, lambda: {one.name: one for one in declared_assumptions(facts, model.assumptions)})


def _accepted(facts, claim_id):
    model = MODELS[claim_id]
    ranges = [f"{one.name} [{one.low:g}, {one.high:g}] {one.unit}" for one in declared_by_name(facts, model).values()]
    return [*(setting.name for setting in model.settings), *ranges]


def _questions(facts, claim, settings, pinned):
    """Every reading of a claim as a case, kept for the next call with the same settings and pins."""
    kept = _cached(facts, "questions", dict)
    key = (claim.id, tuple(settings.items()), tuple(sorted(pinned.items())))
    if key not in kept:
        if len(kept) >= KEPT_QUESTIONS:
            # The oldest goes, so that a sweep of a million points does not keep a million cases.
            kept.pop(next(iter(kept)))
        kept[key] = _asked(facts, claim, settings, pinned)
    return kept[key]


def _asked(facts, claim, settings, pinned):
    model = MODELS[claim.id]
    declared = tuple(declared_by_name(facts, model).values())
    parts = [ledger_claim(facts, part) for part in claim.joint_of]
    found = {}
    for reading in claim.readings:
        case = model.case(facts, settings, reading.id, declared)
        comparators = tuple(part.comparator for part in parts) or (reading.comparator,)
        values = np.array([part.value for part in parts] or [reading.value], dtype=float)
        target = Target(comparators, values, settings.get("tolerance", TOLERANCE))
        found[reading.id] = _Question(
            reading.label, _held_at(case, pinned), target, uncertainty.option_weights(case.options)
        )
    headline = next(iter(found.values()))
    if not len(headline.case.options):
        raise ParameterError(f"{claim.id}: nothing is left to judge with {_told({**settings, **pinned})}")
    return found


def _told(values):
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _held_at(case, pinned):
    """The case with pinned assumptions at their value instead of sampled."""
    held = {one.name: pinned[one.name] for one in case.assumptions if one.name in pinned}
    if not held:
        return case

    def predict(options, rows, values):
        return case.predict(options, rows, values | {name: np.full(len(rows), value) for name, value in held.items()})

    def methods(options, values):
        return case.methods(options, values | held)

    sampled = tuple(one for one in case.assumptions if one.name not in held)
    return replace(case, assumptions=sampled, predict=predict, methods=methods)


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
    return _unjudged(ledger_claim(open_facts(data), claim_id), verdict.OPEN, why, data, seed=0)


def _unanswered(claim, data, seed):
    """The record of a claim that nothing computes: the ledger says so, or no module covers it yet."""
    if claim.computable:
        return _unjudged(claim, verdict.OPEN, "no claim module covers it yet", data, seed)
    return _unjudged(claim, verdict.NOT_COMPUTABLE, claim.reason, data, seed)


def _unjudged(claim, found, why, data, seed):
    record = Record(
        **_ledger_fields(claim, claim.value),
        verdict=found,
        conditions=f"{why[0].upper()}{why[1:].rstrip('.')}.",
        data_overlay=str(data) if data else None,
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


def _point(claim, questions, given):
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
    return {"keys": [*case.evidence], "calibrate": [], "validate": []}


def _judged(claim, questions, given, samples, seed, *, full):
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
    record = replace(record, conditions=_conditions(claim, record, questions, answers))
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
        methods_agree=_agree(methods),
        lines={name: _shaped(claim, line) for name, line in lines.items()},
    )
    return record, {f"break_even.{name}": why for name, why in reasons.items()}


def _shaped(claim, entry):
    """A method or a line with its estimates keyed by part where the claim is joint."""
    shaped = dict(entry, estimate=_by_part(claim, entry["estimate"]))
    if entry.get("interval") is not None:
        shaped["interval"] = _by_part(claim, entry["interval"])
    return shaped


def _agree(methods):
    """Whether every pair of methods agrees within a tenth or three standard errors."""
    estimates = np.array([method["estimate"] for method in methods.values()])
    errors = np.array([np.max(method["standard_error"]) for method in methods.values()])
    gap = np.abs(estimates[:, None] - estimates[None])
    size = np.maximum(np.abs(estimates[:, None]), np.abs(estimates[None]))
    noise = STANDARD_ERRORS * np.hypot(errors[:, None], errors[None])[..., None]
    return bool(np.all((gap <= AGREEMENT * size) | (gap <= noise)))


def _conditions(claim, record, questions, answers):
    reading, question = next(iter(questions.items()))
    answer = answers[reading]
    differing = [f"{name}: {other.verdict}" for name, other in answers.items() if other.verdict != answer.verdict]
    units = {one.name: one.unit for one in question.case.assumptions}
    units |= {name: unit for name, (_, _, unit) in question.case.options.ordered.items()}
    return sentences.conditions(
        answer.verdict,
        question.label if len(questions) > 1 else None,
        answer.shares,
        answer.region,
        units,
        resolved=answer.resolved,
        differing=differing,
        nearest_miss=_nearest_miss(claim, question, answer) if claim.joint_of else "",
        lines_note=_lines_note(record),
    )


def _nearest_miss(claim, question, answer):
    """The combination of a joint claim that comes closest, in words."""
    case = question.case
    rows = np.arange(len(case.options))
    values = {one.name: np.full(len(rows), one.mode) for one in case.assumptions}
    margin = sensitivity.worst_margin(case, question.target, rows, values)
    best = int(np.argmax(margin))
    prediction = np.atleast_2d(case.predict(case.options, rows[[best]], {k: v[[best]] for k, v in values.items()}))[
        :, 0
    ]
    told = ", ".join(
        f"{part} {sentences.number(value)}" for part, value in zip(claim.joint_of, prediction, strict=True)
    )
    chosen = ", ".join(str(case.options.columns[name][best]) for name in case.options.choices)
    lead = "the nearest miss" if not verdict.held(margin[best]) else "the combination with most to spare"
    return f"{lead} is {chosen} with {told}" if chosen else f"{lead} has {told}"


def _lines_note(record):
    """What the independent lines say, where their median is far from the estimate."""
    if not record.lines or isinstance(record.estimate, dict):
        return ""
    estimates = [line["estimate"] for line in record.lines.values()]
    low, middle, high = np.quantile(estimates, (0, 0.5, 1))
    if abs(middle - record.estimate) <= DISSENT * abs(record.estimate):
        return ""
    shown = [sentences.number(value) for value in (low, high, record.estimate)]
    return f"independent lines of evidence give {shown[0]} to {shown[1]}, against {shown[2]} here"


def claims(data=None):
    """Return the ledger: one row a claim, in its order."""
    return open_facts(data).table("claims").copy()


def load(name, data=None):
    """Return a copy of one checked table of ``data/`` (with an overlay laid over it), by its file's name."""
    return open_facts(data).table(name).copy()


def is_computable(claim_id, data=None):
    """Return whether a claim has a model and the ledger lets it be asked."""
    facts = open_facts(data)
    return claim_id in MODELS and ledger_claim(facts, claim_id).computable


def computable_ids(data=None):
    """Return the ids of every claim that has a model, in the order of the ledger."""
    return tuple(claim_id for claim_id in claim_ids(open_facts(data)) if is_computable(claim_id, data))
