"""One plain sentence for a reader: when a claim holds and when it does not."""

from analysis.judgement.verdict import CONDITIONAL, REPRODUCED


def number(value):
    """Return a number as a reader wants it: three significant digits, no exponent where it can be avoided.

    Examples
    --------
    >>> number(0.0123456), number(1234.5), number(40.0)
    ('0.0123', '1,234', '40')
    """
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share):
    """Return a share in per cent."""
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else f"{100 * share:.1f} %"


def words(name):
    """Return a parameter's name as words, without its unit."""
    return name.removesuffix("_years").replace("_", " ")


def box(bounds, units):
    """Return a region's bounds in words.

    Examples
    --------
    >>> box({"vendor": "NVIDIA", "span_years": [7.2, 7.6]}, {"span_years": "years"})
    'vendor is NVIDIA and span lies between 7.2 and 7.6 years'
    """
    parts = []
    for name, bound in bounds.items():
        if isinstance(bound, list):
            unit = units.get(name, "")
            parts.append(f"{words(name)} lies between {number(bound[0])} and {number(bound[1])} {unit}".rstrip())
        else:
            parts.append(f"{words(name)} is {bound}")
    return " and ".join(parts)


def conditions(found, reading, shares, region, units, *, resolved, differing, nearest_miss, lines_note):
    """Return the sentence that stands under `conditions`.

    Parameters
    ----------
    found : str
        The verdict.
    reading : str or None
        Label of the headline reading.
    shares : Shares
    region : Region or None
    units : dict
        Units of the parameters in the region's bounds.
    resolved : bool
        Whether the model can tell.
    differing : list of str
        Readings whose verdict differs from the headline's, with that verdict.
    nearest_miss : str
        For a joint claim, the combination that comes closest.
    lines_note : str
        What independent lines of evidence say, where they differ.

    Returns
    -------
    str
    """
    parts = [_holding(found, shares, region, units)]
    if reading:
        parts[0] = f"Read as “{reading}”: {parts[0]}"
    if not resolved:
        parts.append("the model's own error is too large to resolve the claim")
    if nearest_miss:
        parts.append(nearest_miss)
    if differing:
        parts.append(f"depends on the reading ({', '.join(differing)})")
    if lines_note:
        parts.append(lines_note)
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def _holding(found, shares, region, units):
    misses = _misses(shares)
    if found == REPRODUCED:
        return f"holds in {percent(shares.holds)} of the declared set{misses}"
    if region is not None:
        inside = f"holds where {box(region.bounds, units)} ({percent(region.density)} there)"
        return f"{inside}, elsewhere mostly not: in {percent(shares.holds)} of the whole set{misses}"
    lead = "holds only within the model's error" if found == CONDITIONAL else "holds in no sizeable region"
    return f"{lead}: in {percent(shares.holds)} of the declared set{misses}"


def _misses(shares):
    """Where the predictions that miss lie."""
    sides = [(shares.below, "below"), (shares.above, "above")]
    told = [f"{percent(share)} of the predictions lie {side} the claimed number" for share, side in sides if share]
    return f" ({', '.join(told)})" if told else ""
