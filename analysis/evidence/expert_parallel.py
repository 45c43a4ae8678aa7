"""Dispatch and combine of tokens between experts: published measurements, their fit, and predictions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import DataError
from analysis.evidence.calibrate import Fit, constants
from analysis.evidence.exchange_kernels import (
    DIES_A_PACKAGE,
    LIBRARIES,
    Library,
    Links,
    exchange_kernel,
    is_ub_card,
    library_of,
    links_of,
)
from analysis.evidence.rows import number, text
from analysis.evidence.stacking import stacked
from analysis.facts.devices import device
from analysis.facts.names import resolved
from analysis.models.collectives import GIGA, MICRO
from analysis.models.expert_exchange import Exchange, counted_bytes, exchange_s

TABLE = "expert_parallel"
QUANTITIES = ("dispatch_latency", "combine_latency", "dispatch_bandwidth", "combine_bandwidth")
# What the libraries' own test programs use where a row does not say.
DEFAULT_TOKENS = {"low_latency": 128, "normal": 4096}
MANY_TOKENS = 512
DEFAULTS = {"hidden_size": 7168, "top_k": 8, "dispatch_bytes_per_value": 1, "combine_bytes_per_value": 2}
EIGHT_BITS = 1
# Where a fit begins; a constant informs a measurement that changes when it is nudged from there.
NUDGE = 1.1
TIGHT = 1e-12
START = {
    "deepep_fixed": 40.0,
    "deepep_scaleup_share": 0.7,
    "deepep_scaleout_share": 0.9,
    "deepep_ascend_fixed": 40.0,
    "cann_ep_fixed": 30.0,
    "ub_quantised_copy": 40.0,
    "ub_copy_outside_server": 5.0,
    "ub_dispatch_share": 0.5,
    "ub_combine_share": 0.5,
}


@dataclass(frozen=True)
class Case:
    """One measurement as the model sees it.

    Attributes
    ----------
    exchange : Exchange
    library : Library
    links : Links
    normal, combine, quantised : bool
        See `analysis.evidence.exchange_kernels.exchange_kernel`.
    latency : bool
        Microseconds are asked for; else GB/s.
    logical : bool
        The convention in which bytes are counted.
    """

    exchange: Exchange
    library: Library
    links: Links
    normal: bool
    combine: bool
    quantised: bool
    latency: bool
    logical: bool

    def kernel(self, values):
        """Return the kernel with fitted constants."""
        how = {"normal": self.normal, "combine": self.combine, "quantised": self.quantised}
        return exchange_kernel(self.library, self.links, values, **how)


def case_of(row, facts):
    """Return one row as a case, with a note on what was assumed.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts

    Returns
    -------
    Case
    note : str

    Raises
    ------
    DataError
        A name that nobody knows, or a blank cell that is needed.
    """
    card, ranks = _card(row, facts), _positive(row, "ep_degree")
    if ranks is None:
        raise DataError("column ep_degree: blank; expected the number of ranks that exchange tokens")
    library, note = library_of(text(row, "library"), card.name)
    links = links_of(facts, card, text(row, "fabric"), _positive(row, "ranks_per_server"))
    filled, assumed = _filled(row)
    combine = row["quantity"].startswith("combine")
    normal = filled["kernel"] == "normal"
    per_value = filled["combine_bytes_per_value" if combine else "dispatch_bytes_per_value"]
    quantised = per_value <= EIGHT_BITS
    case = Case(
        exchange=_exchange(filled, ranks, library, links, per_value, text(row, "groups")),
        library=library,
        links=links,
        normal=normal,
        combine=combine,
        quantised=quantised,
        latency=row["quantity"].endswith("latency"),
        logical=text(row, "byte_convention") == "logical",
    )
    return case, "; ".join(filter(None, (note, assumed)))


def _card(row, facts):
    name = text(row, "accelerator")
    if not name:
        raise DataError("column accelerator: blank; expected a card")
    card, _ = resolved(facts, "accelerator", name)
    dies = DIES_A_PACKAGE if is_ub_card(card) else 1
    return device(facts, card, dies=dies)


def _positive(row, column, default=None):
    found = number(row, column, default)
    if found is not None and found <= 0:
        raise DataError(f"column {column}: {text(row, column)}; expected a number above 0")
    return found


def _filled(row):
    kernel = text(row, "kernel")
    tokens = _positive(row, "tokens_per_rank")
    assumed = []
    if kernel not in DEFAULT_TOKENS:
        many = tokens > MANY_TOKENS if tokens is not None else row["quantity"].endswith("bandwidth")
        kernel = "normal" if many else "low_latency"
        assumed.append(f"kernel {kernel}")
    if tokens is None:
        tokens = DEFAULT_TOKENS[kernel]
        assumed.append(f"tokens_per_rank {tokens}")
    filled = {"kernel": kernel, "tokens_per_rank": tokens}
    for column, default in DEFAULTS.items():
        filled[column] = _positive(row, column, default)
        if not text(row, column):
            assumed.append(f"{column} {default}")
    return filled, "assumed: " + ", ".join(assumed) if assumed else ""


def _exchange(filled, ranks, library, links, per_value, groups):
    copies = filled["top_k"] + library.extra_copies
    scales = library.scale_bytes_per_value if per_value <= EIGHT_BITS else 0.0
    # Forwarding kernels go by what the scale-up link joins, whatever the size of a server.
    server = links.domain if library.forwards else links.ranks_per_server
    chosen, _, of = groups.partition(" of ")
    part = float(chosen) / float(of) if chosen.isdecimal() and of.isdecimal() else 1.0
    return Exchange(
        tokens=filled["tokens_per_rank"],
        copies=copies,
        bytes_per_copy=filled["hidden_size"] * (per_value + scales),
        ranks=ranks,
        ranks_per_server=server,
        chosen_servers=max(1.0, part * max(1.0, ranks / server)),
    )


def answers(cases, values):
    """Return what each case is predicted to measure.

    Parameters
    ----------
    cases : sequence of Case
    values : dict of str to float
        Fitted constants.

    Returns
    -------
    ndarray
        Microseconds or GB/s, shape (len(cases),).
    """
    if not len(cases):
        return np.empty(0)
    exchange, kernel = stacked([case.exchange for case in cases]), stacked([case.kernel(values) for case in cases])
    combine = np.array([case.combine for case in cases])
    forwards = np.array([case.library.forwards and case.normal for case in cases])
    logical = np.array([case.logical and case.normal for case in cases])
    time_s = exchange_s(exchange, kernel, combine=combine, forwards=forwards)
    counted = counted_bytes(exchange, per_expert=~forwards, logical=logical)
    return np.where([case.latency for case in cases], time_s / MICRO, counted / GIGA / time_s)


def predict_exchange(row, facts, left_out=""):
    """Predict the latency or bandwidth of a dispatch or combine.

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
        Microseconds or GB/s; None where the row cannot be predicted.
    note : str
        What was assumed, or why there is no value.
    """
    try:
        case, note = case_of(row, facts)
    except DataError as error:
        return None, str(error)
    if not case.latency and case.exchange.ranks <= case.links.package_ranks:
        return None, f"ep_degree {case.exchange.ranks:g}: no copy crosses a link, so there is no bandwidth"
    values = {name: one.value for name, one in constants(facts, left_out).items()}
    return float(answers([case], values)[0]), note


def _rows(facts, ours):
    """Calibrate rows of some libraries, one distinct measurement each."""
    table = facts.table(TABLE)
    table = table[(table["role"] == "calibrate") & table["quantity"].isin(QUANTITIES)]
    cases = [case_of(row, facts)[0] for row in table.to_dict("records")]
    rows = pd.DataFrame({"source": table["source"], "value": table["value"], "case": cases})
    return rows[[case.library in ours for case in cases]].reset_index(drop=True)


def _fit(libraries, units):
    """One fit of libraries that share a fabric."""
    ours = [LIBRARIES[name] for name in libraries]
    names = list(units)

    def errors(rows, values):
        return answers(list(rows["case"]), values) / rows["value"].to_numpy() - 1

    def solve(rows):
        from scipy.optimize import least_squares

        def residuals(logs):
            return np.log1p(errors(rows, dict(zip(names, np.exp(logs), strict=True))))

        start = np.log([START[name] for name in names])
        found = least_squares(residuals, start, xtol=TIGHT, ftol=TIGHT, gtol=TIGHT)
        return dict(zip(names, np.exp(found.x), strict=True))

    def informs(rows):
        base = errors(rows, START)
        return {name: errors(rows, START | {name: NUDGE * START[name]}) != base for name in names}

    return Fit((TABLE,), units, lambda facts: _rows(facts, ours), solve, errors, informs)


DEEPEP = _fit(
    ("DeepEP",),
    {"deepep_fixed": "us", "deepep_scaleup_share": "fraction", "deepep_scaleout_share": "fraction"},
)
UB = _fit(
    ("DeepEP-Ascend", "CANN EP"),
    {
        "deepep_ascend_fixed": "us",
        "cann_ep_fixed": "us",
        "ub_quantised_copy": "ns",
        "ub_copy_outside_server": "ns",
        "ub_dispatch_share": "fraction",
        "ub_combine_share": "fraction",
    },
)
