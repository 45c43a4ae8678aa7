"""What the notebook shows of the consequence: by regime, by size, by the hour, and what each stage buys."""

import numpy as np
import pandas as pd

from analysis.evidence.ettr import allowed
from analysis.facts.assumptions import assumptions
from analysis.facts.recovery_times import STAGES, recovery_regime
from analysis.facts.units import PER_CENT
from analysis.models.failures import partial_ettr, time_shares
from analysis.models.spares import elastic_ratio, nodes_in_repair, spares_needed, waiting_ratio

LEVELS = (0.9, 0.95)
BY_HAND, SENTENCE = "by hand", "1-3-10"
HOUR_MIN = 60
STEPS = {"detection": "detection", "localisation": "localisation", "recovery": "restart"}


def counted_regimes(facts):
    """Return every regime with its minutes from the fault to training again.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict of str to dict
        Label to the minutes of its stages. A regime that tells its stages apart appears twice: recovery counted from
        the fault, and the stages in turn; handling by hand only the second way.
    """
    found = {}
    for name in facts.table("recovery_regimes")["regime"]:
        stages = recovery_regime(facts, name)
        recovery = stages["recovery"]
        if len(stages) < len(STAGES):
            found[name] = {"restart": recovery}
            continue
        if name != BY_HAND:
            detection, localisation = stages["detection"], stages["localisation"] - stages["detection"]
            rest = recovery - stages["localisation"]
            found[f"{name}, {recovery:g} min"] = dict(zip(STEPS.values(), (detection, localisation, rest), strict=True))
        in_turn = {STEPS[stage]: minutes for stage, minutes in stages.items()}
        found[f"{name}, {sum(in_turn.values()):g} min"] = in_turn
    return dict(sorted(found.items(), key=lambda item: sum(item[1].values())))


def regime_label(facts, regime):
    """Return the label under which `counted_regimes` lists a regime first, recovery counted from the fault."""
    return next(label for label in counted_regimes(facts) if label.split(",")[0] == regime)


def ettr_by_regime(facts, job, sizes):
    """Return the effective training time of each regime and number of cards, in per cent.

    Parameters
    ----------
    facts : Facts
    job : Job
    sizes : sequence of int

    Returns
    -------
    pandas.DataFrame
        regime, minutes, cards, ettr (typical failure rate), low and high (the published clusters), largest_90 and
        largest_95 (cards of the largest job at these levels, the same in each row of a regime).
    """
    rows = []
    for regime, stages in counted_regimes(facts).items():
        minutes = sum(stages.values())
        largest = {f"largest_{PER_CENT * level:.0f}": largest_job(job, minutes, level) for level in LEVELS}
        for cards in sizes:
            ends = {
                name: PER_CENT * float(job.ettr(cards, minutes, rate))
                for name, rate in (("ettr", job.rate), ("low", job.rate_high), ("high", job.rate_low))
            }
            rows.append({"regime": regime, "minutes": minutes, "cards": cards, **ends, **largest})
    return pd.DataFrame(rows)


def ettr_curves(facts, job, sizes, points=121):
    """Return the effective training time of each regime over the number of cards.

    Parameters
    ----------
    facts : Facts
    job : Job
    sizes : (int, int)
        Numbers of cards that the curves must span; they reach a decade below and twice above.
    points : int

    Returns
    -------
    cards : ndarray of shape (points,)
    curves : dict of str to dict
        Regime to `typical`, `low` and `high`, each an ndarray in per cent; without the handling by hand, which lies
        on the curve of an hour.
    """
    cards = np.geomspace(min(sizes) / 10, 2 * max(sizes), points)
    rates = (("typical", job.rate), ("low", job.rate_high), ("high", job.rate_low))
    curves = {
        regime: {name: PER_CENT * job.ettr(cards, sum(stages.values()), rate) for name, rate in rates}
        for regime, stages in counted_regimes(facts).items()
        if regime.split(",")[0] != BY_HAND
    }
    return cards, curves


def measured_points(facts):
    """Return the published effective training times of known size, with the ends that each of them allows."""
    table = facts.table("ettr")
    rows = table[(table["role"] != "claim") & table["accelerators"].notna()]
    ends = [allowed(row) for row in rows.to_dict("records")]
    names = [f"{one.system}, {one.restart_unit}" if one.restart_unit else one.system for one in rows.itertuples()]
    found = rows[["id", "accelerators", "value", "bound", "source"]].reset_index(drop=True)
    return found.assign(system=names, low=[low for low, _ in ends], high=[high for _, high in ends])


def largest_job(job, recovery_min, level, rate=None):
    """Return how many cards a job can have at most to reach a level of effective training time; 0 where none can."""
    from scipy.optimize import brentq

    def short_of(log_cards):
        return float(job.ettr(np.exp(log_cards), recovery_min, rate)) - level

    low, high = np.log(job.cards_per_node), np.log(1e9)
    return float(np.exp(brentq(short_of, low, high))) if short_of(low) > 0 else 0.0


def about(cards):
    """Return a number of cards to two significant digits, as text.

    Examples
    --------
    >>> about(24419.2)
    '24,000'
    """
    return f"{float(f'{cards:.2g}'):,.0f}"


def longest_recovery_min(job, cards, level, rate=None):
    """Return the longest recovery at which a number of cards reaches a level of effective training time; 0 if none."""
    # The recovery enters as e^(-R/M) alone.
    reached = float(job.ettr(cards, 0.0, rate))
    return max(0.0, float(job.between_min(cards, rate) * np.log(reached / level)))


def needs(job, cards):
    """Return what a number of cards needs for each level: the longest recovery, or the highest failure rate.

    Parameters
    ----------
    job : Job
    cards : int

    Returns
    -------
    pandas.DataFrame
        level, whose (typical, best, worst cluster), failure_interval_min, longest_recovery_min, and
        longest_stall_min where only a part of the job restarts.
    """
    rows = []
    for level in LEVELS:
        for whose, rate in (
            ("typical rate", job.rate),
            ("best cluster", job.rate_low),
            ("worst cluster", job.rate_high),
        ):
            between = float(job.between_min(cards, rate))
            rows.append(
                {
                    "level": PER_CENT * level,
                    "whose": whose,
                    "failure_interval_min": between,
                    "longest_recovery_min": longest_recovery_min(job, cards, level, rate),
                    "longest_stall_min": between * -np.log(level),
                }
            )
    return pd.DataFrame(rows)


def partial_restart(job, cards, stall_min):
    """Return the effective training time, in per cent, where the other parts of a job go on after a stall."""
    return PER_CENT * float(partial_ettr(job.between_min(cards), stall_min, stalls_included=False))


def hour_of_training(facts, job, cards):
    """Return where an hour of a job goes under each regime.

    Parameters
    ----------
    facts : Facts
    job : Job
    cards : int

    Returns
    -------
    pandas.DataFrame
        One regime a row, minutes of the hour: useful, checkpoint, detection, localisation, restart, lost work; a
        regime that does not tell its stages apart has all of its recovery under restart.
    """
    rows = {}
    for regime, stages in counted_regimes(facts).items():
        shares = time_shares(
            float(job.between_min(cards)), stages, float(job.checkpoint_interval_min(cards)), job.block_min
        )
        rows[regime] = {part: HOUR_MIN * share for part, share in shares.items()}
    columns = ["useful", "checkpoint", *STEPS.values(), "lost work"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).fillna(0.0)


def stage_gains(facts, job, cards):
    """Return what each of the three numbers buys, against a fault that is located by hand after a timeout.

    Parameters
    ----------
    facts : Facts
    job : Job
    cards : int

    Returns
    -------
    pandas.DataFrame
        stage, before_min, after_min, alone_points (gain if this stage alone gets faster), last_points (gain of this
        stage when the others already are), sobol (total-order index with each stage uniform between the two).
    """
    before, after = (recovery_regime(facts, name) for name in (BY_HAND, SENTENCE))
    base, best = sum(before.values()), sum(after.values())

    def points(minutes):
        return PER_CENT * float(job.ettr(cards, minutes))

    indices = _sobol(lambda minutes: job.ettr(cards, minutes), before, after)
    rows = [
        {
            "stage": stage,
            "before_min": before[stage],
            "after_min": after[stage],
            "alone_points": points(base - before[stage] + after[stage]) - points(base),
            "last_points": points(best) - points(best - after[stage] + before[stage]),
            "sobol": index,
        }
        for stage, index in zip(STAGES, indices, strict=True)
    ]
    return pd.DataFrame(rows)


def _sobol(ettr, before, after):
    """Total-order indices of the three stages. Source: [saltelli2010variance], [herman2017salib]."""
    from SALib.analyze import sobol as analyse
    from SALib.sample import sobol as sample

    bounds = [sorted((after[stage], before[stage])) for stage in STAGES]
    problem = {"num_vars": len(STAGES), "names": list(STAGES), "bounds": bounds}
    drawn = sample.sample(problem, 1024, calc_second_order=False, seed=np.random.default_rng(0))
    found = analyse.analyze(problem, ettr(drawn.sum(axis=1)), calc_second_order=False, num_resamples=2, seed=1)
    return [float(index) for index in found["ST"]]


def repair_days(facts):
    """Return the shortest, the most likely and the longest time that a failed node is away, in days."""
    (declared,) = assumptions(facts, ("repair_days",))
    return declared.low, declared.mode, declared.high


def spares(job, cards, repair_days, probability=0.999):
    """Return how many spare nodes a regime takes for granted, and what happens without them.

    Parameters
    ----------
    job : Job
    cards : int
    repair_days : sequence of float
    probability : float
        That a spare is there when one is needed.

    Returns
    -------
    pandas.DataFrame
        repair_days, in_repair (nodes on average), spares (nodes), waiting (share of time with all nodes if there are
        only half as many spares, per cent), elastic (throughput of a job that goes on with fewer nodes and no spares,
        per cent).
    """
    nodes = cards / job.cards_per_node
    rows = []
    for days in repair_days:
        away = float(nodes_in_repair(nodes, job.rate, days))
        needed = int(spares_needed(away, probability))
        rows.append(
            {
                "repair_days": days,
                "in_repair": away,
                "spares": needed,
                "waiting": round(PER_CENT * float(waiting_ratio(away, needed // 2)), 6),
                "elastic": PER_CENT * elastic_ratio(int(nodes), away, 0),
            }
        )
    return pd.DataFrame(rows)
