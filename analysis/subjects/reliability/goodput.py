"""What follows from 1-3-10: the effective training time of ten thousand cards and of a hundred thousand."""

import numpy as np

from analysis.evidence.ettr import RATE, error_band
from analysis.facts.failure_rates import published_failure_rates
from analysis.facts.recovery_times import STAGES, recovery_regime
from analysis.facts.units import PER_CENT
from analysis.judgement.case import Case, ModelError, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.checkpointing import SECONDS_A_MINUTE, best_interval_min
from analysis.models.failure_simulation import simulate
from analysis.models.failures import time_between_failures_min, weibull_ettr
from analysis.subjects.model import ClaimModel, Setting
from analysis.subjects.reliability import goodput_lines

CONSEQUENCE, SCALE = "reliability.consequence", "reliability.scale"
IN_ALL, IN_TURN = "ten-minutes-in-all", "fourteen-minutes-in-all"
ONE_JOB, MANY_JOBS = "one-synchronous-job", "many-jobs"
ASSUMPTIONS = ("relative_failure_rate", "weibull_shape", "checkpoint_block_s", "job_cards")
# Failures played through for each option by the second method.
PLAYED = 200_000
BY_READING = "by reading"


def _regimes(facts):
    return tuple(facts.table("recovery_regimes")["regime"])


SETTINGS = (
    Setting("cluster_cards", 10_000, "cards of one job today", "cards", low=8, high=1_000_000),
    Setting("future_cluster_cards", 100_000, "cards of the cluster to come", "cards", low=8, high=10_000_000),
    Setting("accelerators_per_node", 8, "cards that stop together", "cards", low=1, high=1024),
    Setting(RATE, 0.0, "failure rate; 0 takes the published clusters", "per 1000 node-days", low=0.0, high=1000.0),
    Setting("regime", "1-3-10", "how fast faults are handled", options=_regimes),
    Setting(
        "minutes_counted",
        BY_READING,
        "how the minutes of the three stages add up",
        options=lambda facts: (BY_READING, "from the fault", "in turn"),
    ),
    Setting("checkpoint_interval_min", 0.0, "time between two; 0 takes the best", "min", low=0.0, high=10_000.0),
)


def stage_minutes(facts, settings, reading):
    """Return the minutes of detection, localisation and restart that a failure costs.

    Counted from the fault, the recovery of a regime holds the other two stages; one after the other, they add up.

    Parameters
    ----------
    facts : Facts
    settings : dict
    reading : str

    Returns
    -------
    tuple of three float
    """
    regime = recovery_regime(facts, settings["regime"])
    detection, localisation, recovery = (regime.get(stage, 0.0) for stage in STAGES)
    counted = settings["minutes_counted"]
    if counted == "in turn" or (counted == BY_READING and reading == IN_TURN):
        return detection, localisation, recovery
    # A regime may name a localisation that, counted from the fault, takes longer than what is left of the recovery.
    detection = min(detection, recovery)
    localisation = min(max(localisation - detection, 0.0), recovery - detection)
    return detection, localisation, recovery - detection - localisation


def rate_options(facts, settings):
    """Return the failure rates that are open: each published cluster, or the one that was set."""
    if settings[RATE] > 0:
        columns = {"cluster": np.array(["as set"], dtype=object), RATE: np.array([settings[RATE]])}
        return Options(columns=columns)
    table = published_failure_rates(facts)
    rates = table[RATE].to_numpy()
    return Options(
        columns={"cluster": table["cluster"].to_numpy(), RATE: rates},
        choices=("cluster",),
        ordered={RATE: (float(rates.min()), float(rates.max()), "per 1000 node-days")} if np.ptp(rates) else {},
        rows=("cluster",),
        sources=tuple((frozenset(source.split(";")),) for source in table["source"]),
    )


def _cards(settings, reading, values):
    if reading == ONE_JOB:
        return settings["future_cluster_cards"]
    if reading == MANY_JOBS:
        return np.minimum(values["job_cards"], settings["future_cluster_cards"])
    return settings["cluster_cards"]


def conditions(settings, reading, rate, values):
    """Return what the models need of a job: mean time between failures, interval and blocking of its checkpoints.

    Parameters
    ----------
    settings : dict
    reading : str
    rate : array_like
        Failures per 1000 node-days of the published cluster.
    values : dict
        The assumptions.

    Returns
    -------
    between_min, interval_min, block_min : ndarray or float
    """
    own_rate = rate * values["relative_failure_rate"]
    cards = _cards(settings, reading, values)
    between = time_between_failures_min(own_rate, cards, settings["accelerators_per_node"])
    block = values["checkpoint_block_s"] / SECONDS_A_MINUTE
    interval = settings["checkpoint_interval_min"] or best_interval_min(between, block)
    return between, interval, block


def _case(facts, settings, reading, assumptions, left_out=""):
    stages = stage_minutes(facts, settings, reading)
    options = rate_options(facts, settings)

    def predict(options, rows, values):
        between, interval, block = conditions(settings, reading, options.columns[RATE][rows], values)
        return PER_CENT * weibull_ettr(between, values["weibull_shape"], sum(stages), interval, block)

    def methods(options, values):
        return _methods(predict, settings, reading, stages, options, values)

    def lines():
        cards = _cards(settings, reading, {one.name: one.mode for one in assumptions})
        return goodput_lines.lines_of(facts, options.columns[RATE], float(cards), sum(stages), settings)

    calibrate = tuple(published_failure_rates(facts)["source"])
    band = error_band(facts, left_out)
    refits = () if left_out else tuple(dict.fromkeys(calibrate))
    return Case(
        assumptions,
        options,
        predict,
        methods,
        lines,
        _evidence(facts, options, settings),
        model_error=ModelError(*band) if band else None,
        model_error_reason="no measurement of effective training time can be predicted",
        calibrate=tuple(sorted(frozenset(calibrate))),
        validate=goodput_lines.validation_sources(facts),
        refitted={key: lambda key=key: _case(facts, settings, reading, assumptions, key) for key in refits},
    )


def _methods(predict, settings, reading, stages, options, values):
    """The closed form beside failures played through one by one: medians over the published clusters."""
    rows, weight = np.arange(len(options)), option_weights(options)
    closed = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
    played = []
    for rate in options.columns[RATE]:
        between, interval, block = (float(part) for part in conditions(settings, reading, rate, values))
        played.append(simulate(between, values["weibull_shape"], stages, interval, block, failures=PLAYED))
    simulated = PER_CENT * np.array([one.ettr for one in played])
    error = PER_CENT * max(one.standard_error for one in played)
    shared = ["failure rates of the published clusters", "minutes of the regime", "interval between checkpoints"]
    return {
        "renewal formula": {"estimate": _median(closed, weight), "standard_error": 0.0, "shares": shared},
        "failures played through": {"estimate": _median(simulated, weight), "standard_error": error, "shares": shared},
    }


def _median(values, weight):
    return [float(weighted_quantile(values, weight, [0.5])[0])]


def _evidence(facts, options, settings):
    regimes = facts.table("recovery_regimes").set_index("regime")
    keys = frozenset().union(*(keys for rows in options.sources for keys in rows))
    return tuple(sorted(keys | frozenset(regimes.loc[settings["regime"], "source"].split(";"))))


CLAIMS = tuple(
    ClaimModel(claim_id, "08_reliability", ASSUMPTIONS, SETTINGS, readings, _case)
    for claim_id, readings in ((CONSEQUENCE, (IN_ALL, IN_TURN)), (SCALE, (ONE_JOB, MANY_JOBS)))
)
