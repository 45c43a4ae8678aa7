"""The compiled loop of the failure simulation; imported only when a simulation is asked for."""

from numba import njit


# NumPy's rules for division: no check for nought in every turn of the loop.
@njit(cache=True, error_model="numpy")
def play(rng, failures, scale, power, detection, localisation, restart, interval, block):
    """Return the minutes of useful work, checkpoints, detection, localisation, restart and lost work.

    Parameters
    ----------
    rng : numpy.random.Generator
    failures : int
        To play through.
    scale, power : float
        A Weibull time is ``scale * exponential ** power``; `power` is one over the shape.
    detection, localisation, restart, interval, block : float
        Minutes.

    Returns
    -------
    tuple of float
    """
    useful = saved = detecting = localising = restarting = lost = 0.0
    segment = interval + block
    for _ in range(failures):
        left = rng.standard_exponential()
        if power != 1.0:
            left = left**power
        left *= scale
        part = min(left, detection)
        detecting += part
        left -= part
        part = min(left, localisation)
        localising += part
        left -= part
        part = min(left, restart)
        restarting += part
        left -= part
        whole = float(int(left / segment))
        useful += whole * interval
        saved += whole * block
        lost += left - whole * segment
    return useful, saved, detecting, localising, restarting, lost
