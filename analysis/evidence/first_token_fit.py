"""Constants of prefill and of loading a cached prefix, and the token budgets that nobody states."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.evidence.calibrate import Fit
from analysis.evidence.first_token_cases import Stacked, counted, factors_of
from analysis.evidence.first_token_setup import (
    DEFAULT_BUDGET,
    MULTIPLY,
    NAMES,
    OPEN_BUDGETS,
    UNITS,
    Setup,
    budget_name,
    setup_of,
)
from analysis.models.inference import MILLI

TABLE = "ttft"
# Budgets that are tried where nothing states one, the engine's default first.
BUDGETS = (DEFAULT_BUDGET, 2048, 4096, *(DEFAULT_BUDGET * count for count in range(2, 17)))
# The default holds unless another budget takes this much off the sum of squared errors: one row that is off by a tenth.
MARGIN = 0.1**2
LOADED_FROM = 3
ROUNDS = 5
# What is possible: shares of a peak, GB/s, ms.
BOUNDS = {"fraction": (0.02, 1.0), "GB/s": (0.1, 1000.0), "ms": (1e-3, 1000.0), "tokens": (1e-3, 1e5)}
FITTED = len(UNITS)
STEADY = 1e-9


@dataclass(frozen=True, eq=False)
class Case:
    """One measurement under every budget that it may have had; equal to another one that asks the same."""

    setup: Setup
    under: dict = field(default_factory=dict)

    def __eq__(self, other):
        return isinstance(other, Case) and self.setup == other.setup

    __hash__ = None

    @property
    def loaded(self):
        """Whether the row says something about the budget of its deployment."""
        known = self.setup.stated_budget or self.setup.deployment not in OPEN_BUDGETS
        return self.setup.concurrency >= LOADED_FROM and not known

    def at(self, budgets):
        """Return the steps under the stated budget, the deployment's own, or the default."""
        return self.under[self.setup.stated_budget or budgets.get(self.setup.deployment, DEFAULT_BUDGET)]


def _case(row, facts):
    setup, _ = setup_of(row, facts)
    budgets = (setup.stated_budget,) if setup.stated_budget else BUDGETS
    return Case(setup, {budget: counted(setup, budget) for budget in budgets})


def _rows(facts):
    table = facts.table(TABLE)
    table = table[(table["role"] == "calibrate") & (table["quantity"] == TABLE)]
    found = [
        {"source": row["source"], "value": row["value"], "case": _case(row, facts)} for row in table.to_dict("records")
    ]
    return pd.DataFrame(found, columns=["source", "value", "case"])


def _bounds():
    low, high = np.array([BOUNDS[unit] for unit in UNITS.values()]).T
    times = np.array([unit in MULTIPLY for unit in UNITS.values()])
    return np.where(times, low, 1 / high), np.where(times, high, 1 / low)


def _least_squares(stacked, measured_s, factors):
    """Constants with the least relative errors, by linear least squares for the longest forms until they stay."""
    from scipy.optimize import lsq_linear

    low, high = _bounds()
    for _ in range(ROUNDS):
        seen = stacked.features(factors)[:, :FITTED] / measured_s[:, None]
        scale = seen.max(axis=0)
        used = scale > 0
        part = (seen[:, used] / scale[used], np.ones(len(seen)))
        found = lsq_linear(*part, bounds=((low * scale)[used], (high * scale)[used]), method="bvls")
        before, factors = factors, factors.copy()
        factors[:FITTED][used] = found.x / scale[used]
        if np.allclose(before, factors, rtol=STEADY, atol=0):
            break
    return factors


class Budgets:
    """Rows with several requests of deployments that state no budget, under every budget that they may have."""

    def __init__(self, cases, measured_s):
        open_to = {case.setup.deployment for case in cases if case.loaded}
        asked = np.array([case.setup.deployment in open_to and case.setup.concurrency > 1 for case in cases])
        own = [case for case, yes in zip(cases, asked, strict=True) if yes]
        self.deployments = np.array([case.setup.deployment for case in own])
        self.measured_s = measured_s[asked]
        self.every = Stacked([case.under[budget] for case in own for budget in BUDGETS])

    def best(self, factors):
        """Return the budget of each deployment that explains all its rows best, with a preference for the default."""
        times_s = (self.every.features(factors) @ factors).reshape(-1, len(BUDGETS))
        squares = np.log(times_s / self.measured_s[:, None]) ** 2
        squares_of = {name: squares[self.deployments == name].sum(axis=0) for name in sorted(set(self.deployments))}
        preferred = MARGIN * (np.arange(len(BUDGETS)) == 0)
        return {name: BUDGETS[int(np.argmin(found - preferred))] for name, found in squares_of.items()}


def _solve(rows):
    cases, measured_s = list(rows["case"]), MILLI * rows["value"].to_numpy()
    light = np.array([not case.loaded for case in cases])
    open_budgets = Budgets(cases, measured_s)
    budgets, factors = {}, np.append(np.sqrt(np.prod(_bounds(), axis=0)), np.zeros(len(NAMES) - FITTED))
    for round_ in range(ROUNDS):
        kept = light if not round_ else np.ones(len(cases), dtype=bool)
        used = Stacked([case.at(budgets) for case, keep in zip(cases, kept, strict=True) if keep])
        factors = _least_squares(used, measured_s[kept], factors)
        found = open_budgets.best(factors)
        if round_ and found == budgets:
            break
        budgets = found
    values = {name: one if UNITS[name] in MULTIPLY else 1 / one for name, one in zip(UNITS, factors, strict=False)}
    return {name: float(one) for name, one in values.items()} | {
        budget_name(name): float(budget) for name, budget in budgets.items()
    }


def _features(rows, values):
    factors = factors_of(values)
    found = {name: values.get(budget_name(name), DEFAULT_BUDGET) for name in {c.setup.deployment for c in rows["case"]}}
    return Stacked([case.at(found) for case in rows["case"]]).features(factors), factors


def _errors(rows, values):
    features, factors = _features(rows, values)
    return features @ factors / (MILLI * rows["value"].to_numpy()) - 1


def _informs(rows):
    values = _solve(rows)
    features, _ = _features(rows, values)
    masks = {name: features[:, place] > 0 for place, name in enumerate(UNITS)}
    for deployment in OPEN_BUDGETS:
        own = [case.loaded and case.setup.deployment == deployment for case in rows["case"]]
        masks[budget_name(deployment)] = np.array(own)
    return masks


BUDGET_UNITS = {budget_name(deployment): "tokens" for deployment in OPEN_BUDGETS}
FIRST_TOKEN = Fit((TABLE,), UNITS | BUDGET_UNITS, _rows, _solve, _errors, _informs)
