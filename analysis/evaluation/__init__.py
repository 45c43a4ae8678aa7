"""Joins claims and judgement: `evaluate`, the parameters it takes, and sweeps over them."""

from analysis.evaluation.asking import DETAILS, claims, evaluate, load, open_record
from analysis.evaluation.declarations import check_parameters, check_pins, parameters
from analysis.evaluation.questions import computable_ids
from analysis.evaluation.sweeping import sweep

__all__ = [
    "DETAILS",
    "check_parameters",
    "check_pins",
    "claims",
    "computable_ids",
    "evaluate",
    "load",
    "open_record",
    "parameters",
    "sweep",
]
