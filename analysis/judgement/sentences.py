"""One plain sentence for a reader: when a claim holds and when it does not."""

from analysis.judgement.verdict import CONDITIONAL, REPRODUCED

# From this share on, the predictions on one side of the claimed number say which way the claim fails.
MOST = 0.5
# How the predictions above and below are told: alone, behind the other side, and what it says where most lie there.
SIMPLE_SIDES = (
    ("lie above the claimed number", "above it", "the claim understates"),
    ("lie below the claimed number", "below it", "the claim overstates"),
)
JOINT_SIDES = (
    ("only exceed the claimed numbers", "only exceed them", "the claim understates"),
    ("only fall short of the claimed numbers", "only fall short of them", "the claim overstates"),
)


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
    'vendor is “NVIDIA” and span lies between 7.2 and 7.6 years'
    """
    parts = []
    for name, bound in bounds.items():
        if isinstance(bound, list):
            # A fraction is a bare number; its unit would read as a word too many.
            unit = "" if units.get(name) == "fraction" else units.get(name, "")
            parts.append(f"{words(name)} lies between {number(bound[0])} and {number(bound[1])} {unit}".rstrip())
        else:
            parts.append(f"{words(name)} is “{bound}”")
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
    lead = f"Read as “{reading}”, the claim" if reading else "The claim"
    parts = [f"{lead} {_holding(found, shares, region, units)}", _misses(shares, joint=bool(nearest_miss))]
    if not resolved:
        parts.append("the model's own error is too large to resolve the claim")
    parts += [nearest_miss, f"it depends on the reading ({', '.join(differing)})" if differing else "", lines_note]
    return "; ".join(filter(None, parts)) + "."


def _holding(found, shares, region, units):
    whole = f"{percent(shares.holds)} of the declared set"
    if found == REPRODUCED:
        return f"holds in {whole}"
    if region is not None:
        return f"holds where {box(region.bounds, units)} ({percent(region.density)} there), and in {whole}"
    if found == CONDITIONAL:
        return f"holds in {whole}, but only within the model's error"
    return f"holds in {whole} and in no sizeable region of it"


def _misses(shares, joint):
    """Where the predictions that miss lie, and what most of them say of the claim."""
    above, below = JOINT_SIDES if joint else SIMPLE_SIDES
    sides = sorted([(shares.above, *above), (shares.below, *below)], reverse=True)
    (most, where, _, consequence), (rest, _, elsewhere, _) = sides
    if not most:
        return ""
    other = f" and {percent(rest)} {elsewhere}" if rest else ""
    return f"{percent(most)} of the predictions {where}{other}" + (f", so {consequence}" if most >= MOST else "")
