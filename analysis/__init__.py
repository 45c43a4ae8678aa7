"""Claims about the CloudMatrix384 supernode, reproduced from public evidence.

>>> import analysis
>>> record = analysis.evaluate("bandwidth-gap.bus", detail="point")
>>> record.comparator, record.reading
('eq', 'scale-up-link')
"""

from importlib import import_module

from analysis.errors import AnalysisError, DataError, ParameterError

# Looked up when asked for: the command line answers before pandas would have been imported.
_HOMES = {
    "Record": "analysis.judgement.record",
    "check_parameters": "analysis.evaluation",
    "check_pins": "analysis.evaluation",
    "claims": "analysis.evaluation",
    "evaluate": "analysis.evaluation",
    "load": "analysis.evaluation",
    "parameters": "analysis.evaluation",
    "predict": "analysis.evidence.predict",
    "record_claim": "analysis.judgement.display",
    "replay": "analysis.evidence.replay",
    "sweep": "analysis.evaluation",
}

__all__ = ["AnalysisError", "DataError", "ParameterError", *_HOMES]  # noqa: PLE0604


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__():
    return sorted(__all__)
