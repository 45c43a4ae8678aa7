"""Training steps: published measurements, the fit of what cards reach, and predictions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import DataError
from analysis.evidence import expert_parallel
from analysis.evidence.calibrate import Fit, constants
from analysis.evidence.exchange_kernels import is_ub_card, ub_write_share
from analysis.evidence.stacking import stacked
from analysis.evidence.training_cases import ITERATION, case_of, chip_of
from analysis.facts.architectures import architecture, architectures
from analysis.facts.devices import bytes_per_value, device
from analysis.facts.names import resolved
from analysis.models.collectives import Fabrics
from analysis.models.training import composed, tokens_per_s_per_card
from analysis.models.training_kernels import HALF
from analysis.models.training_setup import Layout, Software
from analysis.models.training_times import Machine, layer_segments
from analysis.models.training_work import Work, micro_batch_work

TABLES = ("training_iterations", "training_throughput")
UNITS = {
    "training_ampere_16bit": "TFLOPS/W",
    "training_hopper_8bit": "TFLOPS/W",
    "training_blackwell_8bit": "TFLOPS/W",
    "training_blackwell_4bit": "TFLOPS/W",
    "training_blackwell_idle": "W",
    "training_launch": "ms",
    "training_expert_memory_share": "fraction",
}
START = dict(zip(UNITS, (0.62, 1.7, 3.6, 7.7, 470.0, 1.4, 0.3), strict=True))
LOW = dict(zip(UNITS, (0.1, 0.2, 0.5, 1.0, 10.0, 0.01, 0.05), strict=True))
HIGH = dict(zip(UNITS, (1.5, 4.0, 12.0, 30.0, 900.0, 20.0, 1.0), strict=True))
# Bytes of an operand of each constant: products in twice the bytes run at half the rate.
FORMATS = {
    "ampere": {2.0: "training_ampere_16bit"},
    "hopper": {1.0: "training_hopper_8bit"},
    "blackwell": {1.0: "training_blackwell_8bit", 0.5: "training_blackwell_4bit"},
}
IDLE = {"blackwell": "training_blackwell_idle"}
# Of its peak, what plain passes over memory reach [williams2009roofline], and what fused attention would reach without
# exponentials: 557 TFLOPS at a width of 128 and 405 at 64 on H100 [shah2024flashattention3].
MEMORY_SHARE, ATTENTION_SHARE = 0.8, 0.82
# And the output head, one large 16-bit product: 0.87 on A100, 0.80 on H100, 0.78 on B200 [stas2026mlengineering].
HEAD_SHARE = 0.78
SCALEUP, SCALEOUT = "deepep_scaleup_share", "deepep_scaleout_share"
MILLI = 1e-3
TIGHT = 1e-8


def training_machine(facts, accelerator, precision, *, ranks_per_domain=None, left_out=""):
    """Return what an accelerator and its links reach in training.

    Parameters
    ----------
    facts : Facts
    accelerator : str
        Any spelling that the tables know.
    precision : str
        Of the operands of matrix products.
    ranks_per_domain : int, optional
        Cards that the scale-up fabric joins; as the card is built, where not given.
    left_out : str
        A source whose measurements the constants do without.

    Returns
    -------
    Machine
    """
    name, _ = resolved(facts, "accelerator", accelerator)
    card, known = device(facts, name), architecture(facts, name)
    values = {name: one.value for name, one in constants(facts, left_out).items()}
    rates = _rates(card, known, bytes_per_value(precision), values, typical_share(facts, values))
    fabrics = _fabrics(card, link_shares(facts, card, values))
    return Machine(
        **rates, fabrics=fabrics, ranks_per_domain=ranks_per_domain or card.scaleup_domain, chip=chip_of(known)
    )


def machine_of(case, values, typical, shares):
    """Return what the card of a case reaches.

    Parameters
    ----------
    case : Case
    values : dict of str to float
        Fitted constants.
    typical : float
        Part of the peak that products reach on a card whose architecture is not known.
    shares : tuple of float
        Parts of the peaks of both fabrics that large messages reach.

    Returns
    -------
    Machine
    """
    rates = _rates(case.card, case.architecture, float(case.software.bytes_per_value), values, typical)
    host_GBps = case.host_GBps if case.layout.offloaded_layers else np.inf
    fabrics = _fabrics(case.card, shares)
    return Machine(
        **rates, fabrics=fabrics, ranks_per_domain=case.ranks_per_domain, host_GBps=host_GBps, chip=case.chip
    )


def _fabrics(card, shares):
    return Fabrics(shares[0] * card.scaleup_GBps, shares[1] * card.scaleout_GBps)


def _rates(card, architecture, operand, values, typical):
    wide = card.tflops("bf16")
    return {
        "matrix_tflops": _matrix_tflops(architecture, card, operand, values, typical),
        "wide_tflops": HEAD_SHARE * wide,
        "attention_tflops": ATTENTION_SHARE * wide,
        "memory_GBps": MEMORY_SHARE * card.memory_GBps,
        "expert_GBps": values["training_expert_memory_share"] * card.memory_GBps,
        "launch_s": MILLI * values["training_launch"],
        "memory_gb": card.memory_gb,
    }


def _matrix_tflops(architecture, card, operand, values, typical):
    """What products reach: so much for each watt that is left for them, at most the peak."""
    peak = card.tflops({0.5: "fp4", 1.0: "fp8"}.get(operand, "bf16"))
    if architecture is None:
        return typical * peak
    formats = FORMATS[architecture.family]
    known = operand if operand in formats else min(formats, key=lambda one: abs(one - operand))
    idle = values[IDLE[architecture.family]] if architecture.family in IDLE else 0.0
    reached = values[formats[known]] * max(architecture.board_watts - idle, 0.0) * known / operand
    return min(reached, peak)


def typical_share(facts, values):
    """Return the part of their 16-bit peak that products reach, median over the cards of known architecture."""
    found = [
        _matrix_tflops(one, device(facts, name), float(HALF), values, 1.0) / device(facts, name).tflops("bf16")
        for name, one in architectures(facts).items()
    ]
    return float(np.median(found))


def link_shares(facts, card, values):
    """Return the parts of the peaks of both fabrics that large messages reach: see the expert-parallel table."""
    scaleup = ub_write_share(facts) if is_ub_card(card.name) else values[SCALEUP]
    return scaleup, values[SCALEOUT]


def step_of(case, machine):
    """Return the step of one case.

    Parameters
    ----------
    case : Case
    machine : Machine

    Returns
    -------
    Step
    """
    work = micro_batch_work(case.shape, case.layout, case.software, case.chip, case.ranks_per_domain)
    segments = layer_segments(case.shape, work, case.layout, case.software, machine)
    return composed(case.shape, case.layout, case.software, segments)


def predict_training(row, facts, left_out=""):
    """Predict the time of an iteration or the training throughput.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts
    left_out : str
        A source whose measurements the constants do without.

    Returns
    -------
    value : float or None
        Seconds or tokens a second and accelerator; None where the row cannot be predicted.
    note : str
    """
    try:
        case, note = case_of(row, facts)
        values = {name: one.value for name, one in constants(facts, left_out).items()}
        typical = typical_share(facts, values) if case.architecture is None else 1.0
        machine = machine_of(case, values, typical, link_shares(facts, case.card, values))
    except DataError as error:
        return None, str(error)
    total_s = float(step_of(case, machine).total_s)
    if row["quantity"] == ITERATION:
        return total_s, note
    return float(tokens_per_s_per_card(case.layout, total_s)), note


def _rows(facts):
    """Calibrate rows of both tables; throughput in the finer of two published figures."""
    links = expert_parallel.DEEPEP.solve(expert_parallel.DEEPEP.rows(facts))
    found = []
    for name in TABLES:
        table = facts.table(name)
        for row in table[table["role"] == "calibrate"].to_dict("records"):
            case, _ = case_of({column: "" if cell != cell else str(cell) for column, cell in row.items()}, facts)
            if case.architecture is None:
                continue
            finer = row.get("value_from_tflops", np.nan)
            value = float(finer) if str(finer) not in ("", "nan") else row["value"]
            work = micro_batch_work(case.shape, case.layout, case.software, case.chip, case.ranks_per_domain)
            seconds = row["quantity"] == ITERATION
            found.append((row["source"], value, seconds, case, work, links[SCALEUP], links[SCALEOUT]))
    columns = ("source", "value", "seconds", "case", "work", "scaleup_share", "scaleout_share")
    return pd.DataFrame(found, columns=columns)


@dataclass(frozen=True)
class _Group:
    """Rows of one shape, stacked so that one call of the model answers for all."""

    places: np.ndarray
    cases: tuple
    links: tuple
    layout: Layout
    software: Software
    work: Work
    seconds: np.ndarray


def _groups(rows):
    names = np.array([case.shape.name for case in rows["case"]])
    found = []
    for name in dict.fromkeys(names):
        places = np.flatnonzero(names == name)
        part = rows.iloc[places]
        cases = tuple(part["case"])
        layout, software = (stacked([getattr(case, kind) for case in cases]) for kind in ("layout", "software"))
        links = tuple(zip(part["scaleup_share"], part["scaleout_share"], strict=True))
        work, seconds = stacked(list(part["work"])), part["seconds"].to_numpy()
        found.append(_Group(places, cases, links, layout, software, work, seconds))
    return found


def _predicted(groups, values):
    found = np.empty(sum(len(group.places) for group in groups))
    for one in groups:
        machines = [machine_of(case, values, 1.0, links) for case, links in zip(one.cases, one.links, strict=True)]
        shape = one.cases[0].shape
        segments = layer_segments(shape, one.work, one.layout, one.software, stacked(machines))
        total_s = composed(shape, one.layout, one.software, segments).total_s
        found[one.places] = np.where(one.seconds, total_s, tokens_per_s_per_card(one.layout, total_s))
    return found


def _errors(rows, values):
    return _predicted(_groups(rows), values) / rows["value"].to_numpy(dtype=float) - 1


def _solve(rows):
    from scipy.optimize import least_squares

    names, groups, measured = list(UNITS), _groups(rows), rows["value"].to_numpy(dtype=float)

    def residuals(logs):
        return np.log(_predicted(groups, dict(zip(names, np.exp(logs), strict=True))) / measured)

    start, low, high = (np.log([table[name] for name in names]) for table in (START, LOW, HIGH))
    found = least_squares(residuals, start, bounds=(low, high), xtol=TIGHT, ftol=TIGHT, gtol=TIGHT)
    return dict(zip(names, np.exp(found.x).tolist(), strict=True))


def _informs(rows):
    family = np.array([case.architecture.family if case.architecture else "" for case in rows["case"]])
    operand = np.array([float(case.software.bytes_per_value) for case in rows["case"]])
    experts = np.array([case.shape.routed_experts > 0 for case in rows["case"]])
    launched = np.array([case.software.graphs < 2 for case in rows["case"]])
    blackwell = family == "blackwell"
    return {
        "training_ampere_16bit": family == "ampere",
        "training_hopper_8bit": family == "hopper",
        "training_blackwell_8bit": blackwell & (operand >= 1),
        "training_blackwell_4bit": blackwell & (operand < 1),
        "training_blackwell_idle": blackwell,
        "training_launch": launched,
        "training_expert_memory_share": experts,
    }


TRAINING = Fit(
    tables=(*TABLES, expert_parallel.TABLE), units=UNITS, rows=_rows, solve=_solve, errors=_errors, informs=_informs
)
