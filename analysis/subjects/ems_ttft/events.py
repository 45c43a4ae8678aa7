"""The same question played event by event: a trace with its own arrivals, instances with caches, and a pool."""

import numpy as np
import pandas as pd

from analysis.facts.workloads import shipped_trace
from analysis.models.collectives import GIGA
from analysis.models.inference import MILLI
from analysis.models.roofline import TERA
from analysis.models.serving import simulate
from analysis.models.serving_setup import Costs, Fleet, Storage, Workload
from analysis.models.transformer_costs import head_flops_per_token, matrix_flops_per_token, pair_flops
from analysis.subjects.ems_ttft.sides import HIDDEN, LINK, LOOKUP, NOTHING, POOL, PRIVATE, SPEED, blocks_of


def costs_of(one, speed):
    """Return what a step of an instance takes; exact for models without latent attention and without experts.

    Parameters
    ----------
    one : Instance
    speed : float
        Over the calibrated one.

    Returns
    -------
    Costs
    """
    how, shape = one.prefiller, one.shape
    reached = TERA * how.peak_tflops * how.utilisation * speed
    attention = TERA * how.attention_tflops * speed
    return Costs(
        token_s=matrix_flops_per_token(shape) / reached,
        pair_s=shape.layers * pair_flops(shape, latent=False) / attention,
        step_s=how.step_s,
        weights_s=how.weight_bytes / (GIGA * how.memory_GBps * how.utilisation * speed),
        output_s=head_flops_per_token(shape) / reached,
        communication_s=how.communication_s / speed,
        outside_s=how.fixed_s,
    )


def storage_of(one, kind, instances, values):
    """Return where prefixes lie on one side.

    Parameters
    ----------
    one : Instance
    kind : str
        `NOTHING`, `PRIVATE` or `POOL`.
    instances : int
        That share the pool.
    values : dict of str to float
        The assumptions.

    Returns
    -------
    Storage
    """
    if kind == NOTHING:
        return Storage()
    held = {name: np.array([cell]) for name, cell in values.items()}
    (blocks,) = blocks_of(kind, [one], np.zeros(1, dtype=int), np.array([instances]), held)
    if kind == PRIVATE:
        return Storage(hbm_blocks=int(blocks))
    return Storage(
        pool_blocks=int(blocks),
        pool_token_s=one.copies * one.token_bytes / (GIGA * one.link_GBps * values[LINK]),
        lookup_s=MILLI * values[LOOKUP],
        hidden=values[HIDDEN],
    )


def over_load(facts, one, trace, instances, values, busy):
    """Return mean times to first token of a trace, by how busy the requests keep instances that recompute everything.

    Parameters
    ----------
    facts : Facts
    one : Instance
    trace : str
        Of a shipped trace; it arrives with its own timestamps, faster or slower.
    instances : int
    values : dict of str to float
        The assumptions.
    busy : sequence of float
        Work that arrives over work that can be done, without a cache; above 1 the queue grows until the trace ends.

    Returns
    -------
    pandas.DataFrame
        load, utilisation (reached without a cache), and seconds without a cache, with private caches and with the pool.
    """
    requests, costs = shipped_trace(facts, trace), costs_of(one, values[SPEED])
    fleets = {
        kind: Fleet(costs, storage_of(one, kind, instances, values), instances=instances, prompts_a_step=1)
        for kind in (NOTHING, PRIVATE, POOL)
    }
    alone = simulate(Workload(requests), fleets[NOTHING]).busy_s.sum() / instances
    span_s = MILLI * (requests.timestamps_ms[-1] - requests.timestamps_ms[0])
    rows = []
    for load in busy:
        played = {
            kind: simulate(Workload(requests, speed=load * span_s / alone), fleet) for kind, fleet in fleets.items()
        }
        times = (float(one.ttft_s.mean()) for one in played.values())
        rows.append((load, float(played[NOTHING].utilisation.mean()), *times))
    return pd.DataFrame(rows, columns=["load", "utilisation", *fleets])
