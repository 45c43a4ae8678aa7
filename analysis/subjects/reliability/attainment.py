"""Are faults detected, localised and recovered from as fast as 1-3-10 says? Judged by what others published."""

from itertools import product

import numpy as np
import pandas as pd

from analysis.facts.recovery_times import STAGES, recovery_times
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.subjects.model import ClaimModel, Setting
from analysis.subjects.reliability import attainment_lines, attainment_loop

JOINT = "reliability.1-3-10"
ASSUMPTIONS = ("position_in_range",)
SETTINGS = (
    Setting("prototypes", True, "whether prototypes and demonstrations count beside production"),
    Setting("secondhand", True, "whether figures read in somebody's summary count"),
)
EXPLICIT, EVERY = "explicit-faults", "all-faults"
CLASSES = {EXPLICIT: ("explicit",), EVERY: ("explicit", "implicit")}
# A row about all faults speaks for each class.
EITHER = "all"
LEAST_OWN_STAGES = 2
COMBINED = ("id", "source", "low_min", "high_min")
NO_FIT = "no constant is fitted: the predictions are published times"


def counted_times(facts, settings):
    """Return the published times that the settings let count, as of `recovery_times`."""
    times = recovery_times(facts)
    counted = (times["deployment"] != "prototype") | settings["prototypes"]
    counted &= (times["confidence"] != "secondhand") | settings["secondhand"]
    return times[counted].reset_index(drop=True)


def of_class(times, *classes):
    """Return the times that speak for any of some classes of faults."""
    return times[times["faults"].isin((*classes, EITHER))]


def minutes(low, high, position):
    """Return where in a published range a time lies."""
    return low + position * (high - low)


def _single_options(times, stage, reading):
    rows = of_class(times[times["stage"] == stage], *CLASSES[reading])
    return Options(
        columns={name: rows[name].to_numpy() for name in rows.columns},
        choices=("faults", "means", "deployment", "operator"),
        categories=("faults", "means", "deployment", "operator"),
        rows=("id",),
        vendor="operator",
        sources=tuple((frozenset((source,)),) for source in rows["source"]),
    )


def _single_case(stage):
    def case(facts, settings, reading, assumptions):
        options = _single_options(counted_times(facts, settings), stage, reading)

        def predict(options, rows, values):
            ends = (options.columns[f"{end}_min"][rows] for end in ("low", "high"))
            return minutes(*ends, values["position_in_range"])

        def methods(options, values):
            return _compared(predict, options, values, attainment_loop.stage_median(facts, settings, stage, reading))

        def lines():
            return attainment_lines.stage_lines(facts, counted_times(facts, settings), stage, reading)

        return Case(assumptions, options, predict, methods, lines, _evidence(options), model_error_reason=NO_FIT)

    return case


def _evidence(options):
    return tuple(sorted(frozenset().union(*(keys for rows in options.sources for keys in rows))))


def _compared(predict, options, values, looped):
    """The vectorised options beside the plain loop: weighted medians."""
    rows = np.arange(len(options))
    prediction = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
    weight = option_weights(options)
    medians = [float(weighted_quantile(part, weight, [0.5])[0]) for part in np.atleast_2d(prediction)]
    shared = ["data/measurements/operations.csv"]
    return {
        "vectorised options": {"estimate": medians, "standard_error": 0.0, "shares": shared},
        "plain loop over the CSV": {"estimate": looped(values), "standard_error": 0.0, "shares": shared},
    }


def combinations(times, reading):
    """Return every combination of three published times for one and the same class of faults.

    No source publishes all three times of one fault. A combination is made of the times that one operator publishes
    for a class of faults; where an operator publishes two of the three stages, the third is borrowed from the others,
    for the same class. An operator with a single stage makes none.

    Parameters
    ----------
    times : pandas.DataFrame
        As of `counted_times`.
    reading : str

    Returns
    -------
    pandas.DataFrame
        fault_class, operator, borrowed (the stage that is, or "none"), for each stage a label under its own name, and
        its id, source, low_min and high_min, prefixed with the stage.
    """
    found = []
    for fault_class in CLASSES[reading]:
        known = of_class(times, fault_class)
        for operator, own in known.groupby("operator", sort=False):
            stages = {stage: own[own["stage"] == stage] for stage in STAGES}
            missing = [stage for stage, rows in stages.items() if not len(rows)]
            if len(STAGES) - len(missing) < LEAST_OWN_STAGES:
                continue
            for stage in missing:
                stages[stage] = known[known["stage"] == stage]
            for rows in product(*(part.to_dict("records") for part in stages.values())):
                found.append(_combined(fault_class, operator, missing, rows))
    columns = ["fault_class", "operator", "borrowed"]
    columns += [*STAGES, *(f"{stage}_{name}" for stage in STAGES for name in COMBINED)]
    return pd.DataFrame(found, columns=columns)


def _combined(fault_class, operator, missing, rows):
    parts = {"fault_class": fault_class, "operator": operator, "borrowed": missing[0] if missing else "none"}
    for stage, row in zip(STAGES, rows, strict=True):
        parts[stage] = f"{row['system']} ({row['id']})"
        parts |= {f"{stage}_{name}": row[name] for name in COMBINED}
    return parts


def _joint_case(facts, settings, reading, assumptions):
    times = counted_times(facts, settings)
    table = combinations(times, reading)
    options = Options(
        columns={name: table[name].to_numpy() for name in table.columns},
        choices=STAGES,
        categories=("fault_class", "operator", "borrowed"),
        rows=tuple(f"{stage}_id" for stage in STAGES),
        vendor="operator",
        sources=tuple(
            tuple(frozenset((row[f"{stage}_source"],)) for stage in STAGES) for row in table.to_dict("records")
        ),
    )

    def predict(options, rows, values):
        ends = [[options.columns[f"{stage}_{end}_min"][rows] for end in ("low", "high")] for stage in STAGES]
        return np.stack([minutes(low, high, values["position_in_range"]) for low, high in ends])

    def methods(options, values):
        return _compared(predict, options, values, attainment_loop.joint_medians(facts, settings, reading))

    def lines():
        return attainment_lines.joint_lines(facts, times, reading)

    return Case(assumptions, options, predict, methods, lines, _evidence(options), model_error_reason=NO_FIT)


def _model(claim_id, case):
    return ClaimModel(claim_id, "08_reliability", ASSUMPTIONS, SETTINGS, tuple(CLASSES), case)


CLAIMS = (
    *(_model(f"reliability.{stage}", _single_case(stage)) for stage in STAGES),
    _model(JOINT, _joint_case),
)
