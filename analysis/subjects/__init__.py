"""One module a subject; each declares its claims as data and plain functions, `analysis.evaluate` does the rest."""

from analysis.subjects import (
    bandwidth_gap,
    ems_memory,
    ems_throughput,
    ems_ttft,
    latency,
    matrixlink,
    moe_affinity,
    reliability,
    supernode,
    tidal,
)

MODULES = (
    bandwidth_gap,
    supernode,
    matrixlink,
    moe_affinity,
    ems_ttft,
    ems_memory,
    ems_throughput,
    latency,
    reliability,
    tidal,
)
MODELS = {model.id: model for module in MODULES for model in module.CLAIMS}

NOTEBOOKS = {}
for _model in MODELS.values():
    NOTEBOOKS[_model.notebook] = (*NOTEBOOKS.get(_model.notebook, ()), _model.id)
