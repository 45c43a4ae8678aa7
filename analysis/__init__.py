"""Claims about the CloudMatrix384 supernode, reproduced from public evidence.

>>> import analysis
>>> record = analysis.evaluate("bandwidth-gap.bus", detail="point")
>>> record.comparator, record.reading
('eq', 'scale-up-link')
"""

# The room `analysis.claims` is loaded by these imports, so the function of the same name is bound last and stays.
from analysis.errors import AnalysisError, DataError, ParameterError
from analysis.evaluation import check_parameters, check_pins, claims, evaluate, load, parameters, sweep
from analysis.evidence.predict import predict
from analysis.judgement.display import record_claim
from analysis.judgement.record import Record

__all__ = [
    "AnalysisError",
    "DataError",
    "ParameterError",
    "Record",
    "check_parameters",
    "check_pins",
    "claims",
    "evaluate",
    "load",
    "parameters",
    "predict",
    "record_claim",
    "sweep",
]
