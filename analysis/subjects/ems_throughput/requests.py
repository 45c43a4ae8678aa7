"""Second method for whole readings: options one by one, prompts cut into steps token by token."""

import numpy as np

from analysis.facts.units import PER_CENT
from analysis.judgement.uncertainty import option_weights
from analysis.models.inference import MILLI
from analysis.models.offload import Remote, Sequence
from analysis.models.transformer_costs import attention_pairs
from analysis.subjects.ems_throughput.layouts import MEMORY, placed
from analysis.subjects.ems_throughput.loop import Looped, looped_ratio
from analysis.subjects.ems_throughput.pool import remote_of
from analysis.subjects.ems_throughput.reuse import STEP_TOKENS, prompt_step_s, workloads

WALKED_PROMPTS = 8


def methods(facts, reading, listed, options, values, predict):
    """Return closed form and played schedules at scalar assumptions: means over the options, per cent.

    Parameters
    ----------
    facts : Facts
    reading : str
    listed : list of Side
    options : Options
    values : dict of str to float
    predict : callable
        Of the case.

    Returns
    -------
    dict
        Name to ``{estimate, standard_error, shares}``.
    """
    rows, weight = np.arange(len(options)), option_weights(options)
    many = {name: np.full(len(rows), float(value)) for name, value in values.items()}
    closed = predict(options, rows, many)
    columns = [dict(zip(options.columns, cells, strict=True)) for cells in zip(*options.columns.values(), strict=True)]
    played = np.array([looped_gain(facts, reading, listed[int(one["side"])], one, values) for one in columns])
    shared = ["time of the accelerator's own operators", "data/calibration.csv", "data/fabrics.csv"]
    told = (("closed form", closed), ("batches tried, played schedule", played))
    return {
        name: {"estimate": [float(weight @ found)], "standard_error": 0.0, "shares": shared} for name, found in told
    }


def looped_gain(facts, reading, side, option, values):
    """Return the gain of one option, per cent."""
    workload = option["workload"]
    if not workload:
        found = _ratio(facts, side, option, values, values["decode_context_tokens"])
        share = values["prefill_work_share"] if option["counted"] == "all cards" else 0.0
        return PER_CENT * (1 / (share + (1 - share) / found) - 1)
    asked = next(known for known in workloads(facts) if known.name == workload)
    hit, prompt = asked.hit, asked.prompt_tokens
    context = prompt + asked.output_tokens / 2
    looped = _looped(facts, side, option, values, context)
    _, rate = looped.without()
    decode = asked.output_tokens * (1 / rate if rate else float(looped.own_s(1, looped.sequence.local_s)))
    before = walked_s(facts, side, prompt, 0.0)
    rest = walked_s(facts, side, prompt, hit)
    load = hit * _looped(facts, side, option, values, prompt).stream_s
    after = min(before, max(rest, load) + (1 - values["load_hidden_share"]) * min(rest, load))
    faster = _ratio(facts, side, option, values, context) if option["way"] else 1.0
    return PER_CENT * ((before + decode) / (after + decode / faster) - 1)


def walked_s(facts, side, prompt, hit):
    """Return the time of one prompt's computed part, several in a row being cut into steps of whole tokens.

    Parameters
    ----------
    facts : Facts
    side : Side
    prompt, hit : float
        Tokens, and the part of them that is cached.

    Returns
    -------
    float
    """
    key = ("ems throughput walked", side, prompt, hit)
    if key not in facts.derived:
        shape = placed(facts, side).shape
        length, cached = round(prompt), round(hit * prompt)
        edges = np.arange(WALKED_PROMPTS) * (length - cached)
        total = WALKED_PROMPTS * max(length - cached, 1)
        pairs = []
        for start in range(0, total, STEP_TOKENS):
            end, found = min(start + STEP_TOKENS, total), 0.0
            for edge in edges:
                low, high = max(start, edge), min(end, edge + length - cached)
                if high > low:
                    found += float(attention_pairs(shape, high - low, cached + low - edge))
            pairs.append((end - start, found))
        tokens, inside = np.array(pairs).T
        # The last step is taken to be as full as the others, with what comes next.
        seconds = prompt_step_s(facts, side, inside * STEP_TOKENS / tokens) * tokens / STEP_TOKENS
        facts.derived[key] = float(seconds.sum()) / WALKED_PROMPTS
    return facts.derived[key]


def _ratio(facts, side, option, values, context):
    key = ("ems throughput looped", side, option["fabric"], option["way"], context, tuple(values.items()))
    if key not in facts.derived:
        facts.derived[key] = looped_ratio(_looped(facts, side, option, values, context), option["way"])
    return facts.derived[key]


def _looped(facts, side, option, values, context):
    one = placed(facts, side)
    cells = {name: np.array([value]) for name, value in values.items()}
    pool = remote_of(facts, np.array([option["fabric"]], dtype=object), cells, one.ranks_a_card)
    remote = Remote(*(float(getattr(pool, name)[0, 0]) for name in Remote.__dataclass_fields__))
    sequence = Sequence(
        context * one.token_s,
        context * one.token_bytes,
        context * one.token_flops,
        one.exchanged_bytes,
        one.shape.layers,
    )
    fits = float(one.free_bytes(*(values[name] for name in MEMORY))) / sequence.cache_bytes
    return Looped(one, MILLI * values["token_time_limit_ms"], fits, sequence, remote)
