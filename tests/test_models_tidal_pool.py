"""The tidal pool: limits, hand-computed days, brute force, and the simulation as a second method."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import day_curves
from analysis.models.day_curves import BIN_MIN, BINS
from analysis.models.tidal_pool import (
    gained,
    held_blocks,
    level_table,
    mean_for_bound,
    mean_held,
    relative_bound,
    share_for_bound,
    stacked,
    utilisation_before,
)
from analysis.models.tidal_reserves import (
    ERROR_POINTS,
    ERROR_WEIGHTS,
    error_factors,
    forecast_reserve,
    late_share,
    reaction_reserve,
)
from analysis.models.tidal_simulation import SERVING, STATES, TRAINING, Controller, mean_and_error, simulate

RNG = np.random.default_rng(7)
ROUGH = day_curves.binned(RNG.uniform(0.05, 1.0, BINS))
SMOOTH = day_curves.dip(0.3, 9.0, 3.0)
FLAT = np.ones(BINS)
WIDTHS = 26


def held(day, *, window_min=0.0, blocks=240.0, reserve=0.0, error=0.0, wanted=None):
    """Mean held share of one day, averaged over the forecast error."""
    table = level_table((day if wanted is None else wanted)[None], WIDTHS)
    factors = error_factors(np.array([reserve]), np.array([error]))
    row, window, size = np.zeros(1, dtype=int), np.array([float(window_min)]), np.array([float(blocks)])
    return float((mean_held(table, row, window, factors, size) @ ERROR_WEIGHTS)[0])


# Day curves.


@given(st.floats(0, 1), st.floats(4, 12), st.floats(0.05, 1))
def test_the_mean_of_a_parametric_day_is_its_closed_form(trough, night, ramp):
    day = day_curves.dip(trough, night, ramp * night)
    assert day.mean() == pytest.approx(1 - (1 - trough) * night / 24, abs=1e-10)
    assert day.min() >= trough - 1e-9 and day.max() <= 1


@given(st.floats(0.5, 1), st.floats(2, 12), st.sampled_from([0.1, 0.5, 1.0]))
def test_a_parametric_day_has_the_mean_that_was_asked_for_however_short_its_night(mean, night, ramp):
    day = day_curves.dip_of_mean(mean, np.array([night]), ramp)[0]
    assert day.mean() == pytest.approx(mean, abs=1e-9) and day.min() >= -1e-12


@pytest.mark.parametrize("steps", [24, 48, 96, 144, 288, 1440])
def test_binning_keeps_the_mean_of_any_step(steps):
    loads = RNG.uniform(0, 5, steps)
    day = day_curves.binned(loads)
    bins = loads.repeat(7200 // steps).reshape(BINS, -1).mean(axis=1)
    assert day == pytest.approx(bins / bins.max()) and day.max() == 1


def test_window_maxima_are_those_of_a_loop():
    found = day_curves.window_maxima(ROUGH, 5)
    for width in range(5):
        for start in range(BINS):
            assert found[width, start] == max(ROUGH[(start + step) % BINS] for step in range(width + 1))


def test_a_timetable_by_the_hour_holds_the_largest_of_each_hour():
    assert day_curves.hour_maxima(ROUGH)[6:12] == pytest.approx([max(ROUGH[6:12])] * 6)


def test_the_best_night_is_the_largest_window_under_its_own_level():
    """Brute force: every start and length, the card-time above the largest load inside."""
    for day in (ROUGH, SMOOTH):
        free = {
            (start, length): length * (1 - max(day[(start + step) % BINS] for step in range(length)))
            for start in range(BINS)
            for length in range(1, BINS + 1, 1)
        }
        wanted = day_curves.best_night(day)
        night = np.isfinite(wanted)
        assert night.sum() * (1 - wanted[night][0]) == pytest.approx(max(free.values()))
        assert np.isinf(wanted[~night]).all() and (wanted >= day).all()


# The closed form.


def test_a_flat_load_gives_no_gain():
    for wanted in (FLAT, day_curves.hour_maxima(FLAT), day_curves.best_night(FLAT), np.roll(FLAT, 1)):
        assert held(FLAT, wanted=wanted) == pytest.approx(1.0, abs=1e-12)
    assert gained(0.5, 1.0, 0.9, mean_to_peak=1.0) == 0
    assert relative_bound(0.5, 1.0, 0.25, 0.9) == 0


@pytest.mark.parametrize("day", [ROUGH, SMOOTH])
def test_free_switching_of_single_cards_with_a_right_forecast_is_the_bound(day):
    # Blocks so small that a whole number of them holds any load to a millionth.
    kept = held(day, blocks=1e6)
    assert kept == pytest.approx(day.mean(), abs=1e-6)
    relative = gained(0.5, kept, 0.9, mean_to_peak=day.mean()) / utilisation_before(0.5, day.mean(), 0.25, 0.9)
    assert relative == pytest.approx(relative_bound(0.5, day.mean(), 0.25, 0.9), abs=1e-5)


def test_the_bound_by_hand():
    # Half of the cards serve, half of the time idle, no headroom; trainers always busy: 0.75 before, 1 after.
    assert relative_bound(0.5, 0.5, 0.0, 1.0) == pytest.approx(0.25 / 0.75)
    # All cards serve: what is idle trains.
    assert relative_bound(1.0, 0.4, 0.0, 1.0) == pytest.approx(0.6 / 0.4)
    assert relative_bound(0.0, 0.4, 0.0, 1.0) == 0


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.99), st.floats(0, 1), st.floats(0.3, 1))
def test_the_share_for_a_gain_gives_that_gain(share, mean, headroom, busy):
    gain = relative_bound(share, mean, headroom, busy)
    assert share_for_bound(gain, mean, headroom, busy) == pytest.approx(share)
    assert mean_for_bound(gain, share, headroom, busy) == pytest.approx(mean)


@given(st.floats(0.05, 0.9), st.floats(0.0, 0.09), st.floats(0.05, 0.9), st.floats(0, 0.6), st.floats(0.5, 1))
def test_the_bound_rises_with_peakedness_and_with_the_share_in_inference(mean, step, share, headroom, busy):
    here = relative_bound(share, mean, headroom, busy)
    assert relative_bound(share, mean + step, headroom, busy) <= here + 1e-12
    assert relative_bound(share + step, mean, headroom, busy) >= here - 1e-12


@pytest.mark.parametrize("day", [ROUGH, SMOOTH])
def test_what_is_kept_rises_with_the_time_of_a_move_the_reserve_and_the_block(day):
    by_window = [held(day, window_min=minutes) for minutes in (0, 1, 5, 10, 23, 60, 119, 240)]
    assert by_window == sorted(by_window)
    by_reserve = [held(day, reserve=reserve) for reserve in (0, 0.05, 0.2, 0.8)]
    assert by_reserve == sorted(by_reserve)
    # Each size divides the one before, so that larger blocks are made of smaller ones.
    by_block = [held(day, blocks=blocks) for blocks in (240, 120, 60, 12, 4, 1)]
    assert by_block == sorted(by_block)


def test_a_rectangular_night_by_hand():
    # Eight hours at 0.4 of the peak, ten blocks: six of them free for 480 minutes less twice 15.
    day = np.where(np.arange(BINS) < 48, 0.4, 1.0)
    assert 1 - held(day, window_min=30, blocks=10) == pytest.approx(0.6 * (480 - 30) / 1440)
    # A reserve of a fifth asks for 0.48, that is five blocks of ten.
    assert 1 - held(day, window_min=30, blocks=10, reserve=0.2) == pytest.approx(0.5 * 450 / 1440)
    # A spell shorter than the two moves never trains.
    short = np.where(np.arange(BINS) < 3, 0.4, 1.0)
    assert held(short, window_min=30, blocks=10) == pytest.approx(1.0, abs=1e-12)


def test_blocks_are_whole_but_for_the_last():
    assert held_blocks(np.array([0.1, 1 / 3, 0.34, 2.0]), 3.0) == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1.0])
    # Two and a half blocks: the third is half a one.
    assert held_blocks(np.array([0.3, 0.5, 0.81]), 2.5) == pytest.approx([0.4, 0.8, 1.0])


def test_stacked_tables_answer_as_they_do_alone():
    tables = [level_table(day[None], WIDTHS) for day in (FLAT, ROUGH, SMOOTH)]
    together = stacked(tables)
    factors, blocks = np.full((3, 1), 1.1), np.full(3, 17.0)
    window = np.array([0.0, 12.0, 90.0])
    rows = np.arange(3)
    alone = [mean_held(one, rows[:1] * 0, window[[n]], factors[[n]], blocks[[n]]) for n, one in enumerate(tables)]
    assert mean_held(together, rows, window, factors, blocks) == pytest.approx(np.concatenate(alone))


@given(st.lists(st.sampled_from([0.2, 0.5, 0.7, 1.0]), min_size=BINS, max_size=BINS), st.integers(1, 24))
@settings(max_examples=25, deadline=None)
def test_a_table_of_levels_is_the_distribution_of_its_day(loads, width):
    table = level_table(np.array([loads]), width)
    maxima = day_curves.window_maxima(np.array(loads), width)[-1]
    assert table.weights[0, -1].sum() == pytest.approx(1)
    assert table.levels[0, -1] @ table.weights[0, -1] == pytest.approx(maxima.mean())


def test_backlog_caps_what_the_valley_trains():
    endless = gained(0.5, 0.4, 0.9, mean_to_peak=0.4)
    assert gained(0.5, 0.4, 0.9, mean_to_peak=0.4, backlog=0.5) == pytest.approx(endless / 2)
    assert gained(0.5, 0.4, 0.9, mean_to_peak=0.4, backlog=0.0) == 0
    # What is lost to moves is not asked for twice.
    assert gained(0.5, 0.8, 0.9, mean_to_peak=0.4, backlog=0.5) == pytest.approx(0.5 * 0.9 * 0.2)


# Reserves and late requests.


def test_the_points_of_the_error_have_the_moments_of_a_normal_one():
    moments = [float(ERROR_WEIGHTS @ ERROR_POINTS**order) for order in range(6)]
    assert moments == pytest.approx([1, 0, 1, 0, 3, 0])


@pytest.mark.parametrize("limit", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("error", [0.03, 0.1, 0.25])
def test_the_reserve_keeps_late_requests_to_the_limit_and_no_further(error, limit):
    def late(reserve):
        factors = error_factors(np.array([reserve]), np.array([error]))[0]
        return float(late_share(SMOOTH, SMOOTH, factors, 1e7) @ ERROR_WEIGHTS)

    reserve = float(forecast_reserve(error, limit))
    assert late(reserve) <= limit + 1e-6
    if reserve:
        assert late(reserve) == pytest.approx(limit, abs=1e-6) and late(reserve * 0.95) > limit


def test_a_right_forecast_needs_no_reserve():
    assert forecast_reserve(0.0, 0.0) == 0


@pytest.mark.parametrize("day", [ROUGH, SMOOTH])
@pytest.mark.parametrize("lag", [1, 3, 7])
@pytest.mark.parametrize("limit", [0.0, 0.01])
def test_the_reserve_of_a_controller_that_sees_the_past_by_brute_force(day, lag, limit):
    seen = np.array([min(day[(place - back) % BINS] for back in range(1, lag + 1)) for place in range(BINS)])
    reserve = float(reaction_reserve(day[None], lag, limit)[0])
    late = np.maximum(day - (1 + reserve) * seen, 0).sum() / day.sum()
    assert late <= limit + 1e-9
    if reserve:
        assert late == pytest.approx(limit, abs=1e-9)
        assert np.maximum(day - (1 + 0.99 * reserve) * seen, 0).sum() / day.sum() > limit


def test_a_flat_load_needs_no_reserve_for_reaction():
    assert reaction_reserve(FLAT[None], 5, 0.0).tolist() == [0.0]


# The simulation.


CONTROLLERS = {
    "night window": (day_curves.best_night, True),
    "by the hour": (day_curves.hour_maxima, True),
    "every bin": (lambda day: day, True),
    "reactive": (lambda day: np.roll(day, 1), False),
}


@pytest.mark.parametrize("name", CONTROLLERS)
@pytest.mark.parametrize("switch_min", [0, 1, 8, 25, 61])
@pytest.mark.parametrize("blocks", [3.3, 40.0])
def test_without_error_simulation_and_closed_form_are_equal(name, switch_min, blocks):
    wanted, ahead = CONTROLLERS[name]
    for day in (ROUGH, SMOOTH):
        controller = Controller(wanted(day), 0.13, 0.0, ahead)
        found = simulate(day, controller, blocks=blocks, switch_min=switch_min, days=1, seed=0)
        window = switch_min * (2 if ahead else 1)
        kept = held(day, window_min=window, blocks=blocks, reserve=0.13, wanted=wanted(day))
        assert found.minutes[0, TRAINING] == pytest.approx(1 - kept, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, (_, ahead) in CONTROLLERS.items() if ahead])
def test_with_error_they_agree_within_three_standard_errors(name):
    wanted = CONTROLLERS[name][0](SMOOTH)
    found = simulate(SMOOTH, Controller(wanted, 0.05, 0.1, True), blocks=60.0, switch_min=9, days=400, seed=3)
    mean, error = mean_and_error(found.minutes[:, TRAINING])
    kept = held(SMOOTH, window_min=18, blocks=60, reserve=0.05, error=0.1, wanted=wanted)
    assert error > 0 and abs(mean - (1 - kept)) <= 3 * error
    # A negative control: the closed form of another switching time is told apart.
    other = held(SMOOTH, window_min=120, blocks=60, reserve=0.05, error=0.1, wanted=wanted)
    assert abs(mean - (1 - other)) > 3 * error


@given(st.integers(0, 40), st.floats(0.5, 30), st.booleans(), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_every_card_minute_is_in_exactly_one_state(switch_min, blocks, ahead, seed):
    found = simulate(ROUGH, Controller(ROUGH, 0.1, 0.1, ahead), blocks=blocks, switch_min=switch_min, days=2, seed=seed)
    assert found.minutes.sum(axis=1) == pytest.approx(1) and found.by_minute.sum(axis=1) == pytest.approx(1)
    assert (found.minutes >= -1e-12).all() and found.by_minute.shape == (1440, len(STATES))


def test_a_controller_that_looks_ahead_with_a_right_forecast_is_never_late():
    for switch_min in (0, 8, 45):
        found = simulate(ROUGH, Controller(ROUGH, 0.0, 0.0, True), blocks=37.0, switch_min=switch_min, days=1, seed=0)
        assert found.late[0] == 0
        assert (found.by_minute[:, SERVING] >= np.repeat(ROUGH, BIN_MIN) - 1e-9).all()


def test_a_controller_that_waits_for_the_load_is_late_and_the_more_the_longer_a_move_takes():
    def late(switch_min):
        controller = Controller(np.roll(SMOOTH, 1), 0.0, 0.0, False)
        return simulate(SMOOTH, controller, blocks=200.0, switch_min=switch_min, days=1, seed=0).late[0]

    assert 0 < late(0) < late(10) < late(40)


def test_late_requests_of_the_simulation_are_at_most_those_of_the_closed_form():
    wanted, factors = np.roll(ROUGH, 1), np.array([1.3])
    for switch_min in (0, 7, 10, 34):
        found = simulate(ROUGH, Controller(wanted, 0.3, 0.0, False), blocks=80.0, switch_min=switch_min, days=1, seed=0)
        most = late_share(ROUGH, wanted, factors, 80.0, int(np.ceil(switch_min / BIN_MIN)))[0]
        assert found.late[0] <= most + 1e-12
        if switch_min % BIN_MIN == 0:
            assert found.late[0] == pytest.approx(most)


def test_a_simulation_repeats_with_its_seed():
    once, again, other = (
        simulate(SMOOTH, Controller(SMOOTH, 0.0, 0.2, True), blocks=9.0, switch_min=5, days=6, seed=seed)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(once.minutes, again.minutes) and not np.array_equal(once.minutes, other.minutes)
