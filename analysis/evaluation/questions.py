"""What is asked: pins checked, and every reading of a claim made ready with what it is held against."""

from dataclasses import dataclass, replace

import numpy as np

from analysis.errors import DataError, ParameterError, nearest
from analysis.facts import open_facts
from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.ledger import claim_ids, ledger_claim
from analysis.judgement import uncertainty
from analysis.judgement.case import Case, Target
from analysis.subjects import MODELS
from analysis.subjects.model import checked_assumption, checked_setting

TOLERANCE = 0.25
KEPT_QUESTIONS = 64


@dataclass(frozen=True)
class Question:
    """One reading of a claim, with what it is held against."""

    label: str
    case: Case
    target: Target
    weight: np.ndarray


def cached(facts, key, make):
    """Return what `make` gives, made once for these tables."""
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
    return cached(facts, key, lambda: {one.name: one for one in declared_assumptions(facts, model.assumptions)})


def _accepted(facts, claim_id):
    model = MODELS[claim_id]
    ranges = [f"{one.name} [{one.low:g}, {one.high:g}] {one.unit}" for one in declared_by_name(facts, model).values()]
    return [*(setting.name for setting in model.settings), *ranges]


def asked_questions(facts, claim, settings, pinned):
    """Every reading of a claim as a case, kept for the next call with the same settings and pins."""
    kept = cached(facts, "questions", dict)
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
    _check_readings(facts, claim, model)
    for reading in claim.readings:
        case = model.case(facts, settings, reading.id, declared)
        comparators = tuple(part.comparator for part in parts) or (reading.comparator,)
        values = np.array([part.value for part in parts] or [reading.value], dtype=float)
        target = Target(comparators, values, settings.get("tolerance", TOLERANCE))
        found[reading.id] = Question(
            reading.label, _held_at(case, pinned), target, uncertainty.option_weights(case.options)
        )
    headline = next(iter(found.values()))
    if not len(headline.case.options):
        raise ParameterError(f"{claim.id}: nothing is left to judge with {_told({**settings, **pinned})}")
    return found


def _check_readings(facts, claim, model):
    """A reading of the ledger that the claim's module cannot answer must not pass for another one."""
    table = facts.table("readings")
    rows = table.index[table["claim"] == claim.id]
    if not len(rows):
        raise DataError(f"readings.csv: {claim.id} has a model but no reading; accepted: {', '.join(model.readings)}")
    for row in rows:
        reading = table.loc[row, "reading"]
        if reading not in model.readings:
            where = facts.where("readings", row)
            raise DataError(
                f"{where}, column reading: {claim.id} knows no {reading!r}. {nearest(reading, model.readings)}"
            )


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
    refitted = {source: lambda make=make: _held_at(make(), pinned) for source, make in case.refitted.items()}
    return replace(case, assumptions=sampled, predict=predict, methods=methods, refitted=refitted)


def is_computable(claim_id, data=None):
    """Return whether a claim has a model and the ledger lets it be asked."""
    facts = open_facts(data)
    return claim_id in MODELS and ledger_claim(facts, claim_id).computable


def computable_ids(data=None):
    """Return the ids of every claim that has a model, in the order of the ledger."""
    return tuple(claim_id for claim_id in claim_ids(open_facts(data)) if is_computable(claim_id, data))
