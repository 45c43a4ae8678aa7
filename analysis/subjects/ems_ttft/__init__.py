"""Time to first token with a pool of memory: how much it is cut, against each of the baselines that the claim can mean.

A request of which a part is cached computes the rest, looking back on all of it, and loads the part that is cached
from where it lies. Readings differ in the baseline alone: a private cache in what weights leave of the accelerators'
memory, no cache, a cache that holds everything in that memory, or a service whose queue has grown.
"""

import numpy as np

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.units import PER_CENT
from analysis.judgement.case import Case
from analysis.subjects.ems_ttft import answers
from analysis.subjects.ems_ttft import lines as evidence_lines
from analysis.subjects.ems_ttft import loop as played
from analysis.subjects.ems_ttft.answers import READINGS, compared, cut, predictable, ratio
from analysis.subjects.ems_ttft.systems import INSTANCES, LAYOUTS, MODELS, SYSTEMS
from analysis.subjects.model import ClaimModel, Setting

CLAIM = "ems.ttft"
ASSUMPTIONS = answers.ASSUMPTIONS[answers.OVERLOADED]


def _words(*accepted):
    return lambda facts: ("all", *map(str, accepted))


SETTINGS = (
    Setting(
        "workload",
        "all",
        "cited",
        options=lambda facts: ("all", *predictable(facts)),
        several=True,
    ),
    Setting("model", "all", "served", options=_words(*MODELS), several=True),
    Setting("system", "all", "cards and link to the pool", options=_words(*SYSTEMS), several=True),
    Setting(
        "layout", "all", "cards of one instance, sharing every prompt or not", options=_words(*LAYOUTS), several=True
    ),
    Setting("instances", "all", "instances that share the pool", options=_words(*INSTANCES), several=True),
)


def _case(facts, settings, reading, assumptions):
    listed, options = compared(facts, settings, reading)
    wanted = answers.ASSUMPTIONS[reading]
    asked = tuple(one for one in assumptions if one.name in wanted)

    def predict(options, rows, values):
        return cut(ratio(facts, listed, options, rows, values))

    def methods(options, values):
        some = played.some_of(options)
        rows = np.arange(len(some))
        closed = predict(some, rows, {name: np.full(len(rows), value) for name, value in values.items()})
        batches = np.median(PER_CENT * played.cuts(facts, listed, some, values), axis=0)
        shared = ["time of one prefill", "data/calibration.csv", "data/transformers.csv", "data/workloads.csv"]
        error = float(batches.std(ddof=1) / np.sqrt(len(batches)))
        found = {"closed form": (float(np.median(closed)), 0.0), "requests one by one": (float(batches.mean()), error)}
        return {
            name: {"estimate": [one], "standard_error": off, "shares": shared} for name, (one, off) in found.items()
        }

    def lines():
        return evidence_lines.lines_of(facts, reading, listed, options, asked)

    error = evidence_lines.model_error(facts)
    keys = {key for rows in options.sources for row in rows for key in row}
    return Case(
        asked,
        options,
        predict,
        methods,
        lines,
        tuple(sorted({*keys, *evidence_lines.sources(facts, reading)})),
        model_error=error,
        model_error_reason="" if error else "no measurement that was not fitted is predicted",
        calibrate=evidence_lines.measured_sources(facts, "calibrate"),
        validate=evidence_lines.measured_sources(facts, "validate"),
    )


def case_of(facts, parameters, reading):
    """Return the case of one reading, with the settings of a record and every assumption open."""
    return _case(facts, parameters, reading, declared_assumptions(facts, ASSUMPTIONS))


CLAIMS = (ClaimModel(CLAIM, "05_ems_ttft", ASSUMPTIONS, SETTINGS, READINGS, _case),)
