"""The parameters of a claim as a table, and their checks for notebooks and the command line."""

import pandas as pd

from analysis.errors import ParameterError, nearest
from analysis.evaluation.questions import checked_pins, declared_by_name, is_computable
from analysis.facts import open_facts
from analysis.facts.ledger import ledger_claim
from analysis.subjects import MODELS

COLUMNS = ("name", "type", "unit", "low", "mode", "high", "options", "default", "description", "source")


def parameters(claim_id, data=None):
    """Return the parameters of a claim: settings first, then assumptions.

    Parameters
    ----------
    claim_id : str
        An id of the ledger; a claim that nothing computes has none.
    data : str or Path, optional
        Folder of the reader's own tables.

    Returns
    -------
    pandas.DataFrame
        name, type, unit, low, mode, high, options, default, description, source. An assumption has no default: it is
        sampled over its range unless pinned.

    Raises
    ------
    ParameterError
        For an unknown claim.
    """
    facts = open_facts(data)
    ledger_claim(facts, claim_id)
    rows = []
    if is_computable(claim_id, data):
        model = MODELS[claim_id]
        rows = [_setting_row(setting, facts) for setting in model.settings]
        rows += [_assumption_row(one) for one in declared_by_name(facts, model).values()]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype(dict.fromkeys(("low", "mode", "high"), float))


def _setting_row(setting, facts):
    options = list(setting.options(facts)) if setting.options else None
    numeric = isinstance(setting.default, (int, float)) and not isinstance(setting.default, bool)
    return {
        "name": setting.name,
        "type": setting.type,
        "unit": setting.unit,
        "low": setting.low,
        "mode": setting.default if numeric else None,
        "high": setting.high,
        "options": options,
        "default": setting.default,
        "description": setting.description,
        "source": "",
    }


def _assumption_row(one):
    fields = {name: getattr(one, name) for name in ("name", "unit", "low", "mode", "high", "description", "source")}
    return fields | {"type": "float", "options": None, "default": None}


def check_pins(claim_ids, values, data=None):
    """Check parameters that several claims share, before anything is computed.

    Parameters
    ----------
    claim_ids : sequence of str
    values : dict
        Name to value; every name must be known to at least one of the claims.
    data : str or Path, optional

    Returns
    -------
    dict
        The values that are not None, as they were given.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type or a value out of range.
    """
    facts = open_facts(data)
    known = {claim_id: set(parameters(claim_id, data)["name"]) for claim_id in claim_ids}
    accepted = list(dict.fromkeys(name for claim_id in claim_ids for name in parameters(claim_id, data)["name"]))
    for name in values:
        if name not in accepted:
            raise ParameterError(f"no parameter {name!r}. {nearest(name, accepted)}")
    for claim_id, names in known.items():
        if names:
            checked_pins(facts, claim_id, {name: value for name, value in values.items() if name in names})
    return {name: value for name, value in values.items() if value is not None}


def check_parameters(claim_ids, *, seed=0, data="", **values):
    """Check a notebook's parameters and return what to pass on to `evaluate`.

    Parameters
    ----------
    claim_ids : sequence of str
        Claims that share their parameters; a notebook whose claims differ calls once for each group.
    seed : int
    data : str
        Folder of the reader's own tables, blank for none.
    **values
        Parameters of the claims; None leaves an assumption sampled.

    Returns
    -------
    dict
        Keyword arguments of `evaluate`: ``evaluate(claim_id, **check_parameters(...))``.

    Raises
    ------
    ParameterError
        Before anything is computed.

    Examples
    --------
    >>> check_parameters(["bandwidth-gap.bus"], years=7.0)
    {'years': 7.0, 'seed': 0, 'data': None}
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ParameterError(f"seed: {seed!r}; expected a whole number of 0 or more")
    return check_pins(claim_ids, values, data or None) | {"seed": seed, "data": data or None}
