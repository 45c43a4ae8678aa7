"""Would the verdict differ, had we declared the same things a little differently?"""

from dataclasses import replace

import numpy as np

from analysis.judgement.case import Case
from analysis.judgement.uncertainty import flattened, option_weights, stretched


def variations(case: Case):
    """Yield every variation under which a verdict is recomputed.

    Author's-judgement ranges halved and doubled about their mode; uniform distributions; options weighted per
    option, per vendor and per source; each source of options left out in turn (a row goes only when all its sources
    are gone); constants refitted without each large source of calibrate rows.

    Parameters
    ----------
    case : Case
        The headline reading.

    Yields
    ------
    name : str
    varied : Case
    weight : ndarray
        Weights of its options.
    """
    declared, options = case.assumptions, case.options
    weight = option_weights(options)
    if any(one.judged for one in declared):
        for name, factor in (("judged ranges halved", 0.5), ("judged ranges doubled", 2.0)):
            ranges = tuple(stretched(one, factor) if one.judged else one for one in declared)
            yield name, replace(case, assumptions=ranges), weight
    if any(not one.distribution.endswith("uniform") for one in declared):
        yield "uniform distributions", replace(case, assumptions=tuple(map(flattened, declared))), weight
    if len(options) > 1:
        for scheme in ("option", "vendor", "source"):
            yield f"options weighted per {scheme}", case, option_weights(options, scheme)
    for source, kept in _without_each_source(options):
        yield f"without {source}", replace(case, options=kept), option_weights(kept)
    for source, refitted in case.refitted.items():
        yield f"constants refitted without {source}", refitted(), weight


def _without_each_source(options):
    """Yield each source whose loss drops an option, with the options that remain."""
    for source in sorted(frozenset().union(*(keys for rows in options.sources for keys in rows))):
        keep = np.array([all(keys - {source} for keys in rows) for rows in options.sources])
        if not keep.all():
            yield source, options.take(keep)
