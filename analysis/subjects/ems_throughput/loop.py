"""Second method: many batches and splits between here and elsewhere tried, and layers played on streams."""

import numpy as np

from analysis.models.collectives import GIGA
from analysis.models.offload import BESIDE, STREAMED, remote_attention_s, streamed_s
from analysis.models.offload_schedule import played_beside_s, played_stream_s, played_turns_s
from analysis.subjects.ems_throughput.steps import own_step_s, ratio

TRIED, PLAYED_LAYERS = 96, 16
MOST_TIMES, MOST_SECOND, MOST_BATCH, ROUNDS = 64, 48, 2**14, 4
SPLITS, FIRST_PARTS = np.linspace(0, 1, 401) ** 2, np.linspace(0, 1.2, 13)


class Looped:
    """One rank at scalar assumptions; a batch is a mean over steps and need not be whole.

    Parameters
    ----------
    one : Placed
    limit_s, fits : float
        On a step; and the sequences that fit on average, as their lengths vary.
    sequence : Sequence
    remote : Remote
        Of numbers.
    """

    def __init__(self, one, limit_s, fits, sequence, remote):
        self.one, self.limit_s, self.fits, self.sequence = one, limit_s, fits, sequence
        self.each_s, self.step_s = (float(cell) for cell in remote_attention_s(remote, sequence))
        self.stream_s = float(streamed_s(remote, sequence))
        self.link_s = sequence.exchanged_bytes / (GIGA * remote.link_GBps)

    def own_s(self, sequences, cache_s):
        """Return the accelerator's step, operator by operator; 0 without a sequence."""
        sequences = np.asarray(sequences, dtype=float)
        return np.where(sequences > 0, own_step_s(self.one, np.maximum(sequences, 1), cache_s), 0.0)

    def without(self):
        """Return the batch without a pool, and its tokens a second."""
        local = self.sequence.local_s
        found = min(self._largest(lambda many: self.own_s(many, many * local), 1.0, MOST_BATCH), self.fits)
        return (found, found / float(self.own_s(found, found * local))) if found >= 1 else (0.0, 0.0)

    def _largest(self, step_s, low, high):
        """The largest batch between two whose step keeps the limit, 0 where none does: finer and finer grids."""
        for _ in range(ROUNDS):
            tried = np.geomspace(low, high, TRIED)
            kept = int((step_s(tried) <= self.limit_s).sum())
            if not kept:
                return 0.0
            low, high = tried[kept - 1], tried[min(kept, TRIED - 1)]
        return float(low)

    def pooled(self, way, before):
        """Return tokens a second with a pool, the schedule of the best batch being played."""
        if way == BESIDE:
            return self._grown(before, self._beside_s)
        if way == STREAMED:
            return self._grown(before, self._streamed_s)
        return self._turns(before)

    def _grown(self, before, step_s):
        """The best rate of one batch that grows, the batch at the limit included."""
        start = max(before, 1.0)
        totals = start * np.geomspace(1, MOST_TIMES, TRIED)
        steps = step_s(totals)
        edge = self._largest(step_s, start, totals[-1])
        totals = np.append(totals, max(edge, 1e-12))
        steps = np.append(steps, self.limit_s if edge >= start else np.inf)
        return float(np.where(steps <= self.limit_s, totals / steps, 0.0).max())

    def _beside_s(self, totals):
        """Steps of batches whose sequences are split in the best of many ways."""
        local, layers, total = self.sequence.local_s, self.sequence.layers, totals[:, None]
        forced = np.maximum(total - self.fits, 0)
        moved = forced + (total - forced) * SPLITS
        work = moved * (self.each_s - self.link_s) + np.where(moved > 0, self.step_s, 0.0)
        exchange = moved * self.link_s / 2
        attention = layers * played_beside_s(
            *((one / layers) for one in ((total - moved) * local, exchange, work, exchange))
        )
        return self.own_s(totals, attention.min(axis=1))

    def _streamed_s(self, totals):
        layers = self.sequence.layers
        own = self.own_s(totals, totals * self.sequence.local_s)
        link = np.maximum(totals - self.fits, 0) * self.stream_s
        return layers * played_stream_s(own / layers, link / layers, PLAYED_LAYERS)

    def _turns(self, before):
        """The best rate of two batches, over what stays, what of the first is moved too, and the second."""
        second, found = max(before, 1.0) * np.geomspace(1 / 16, MOST_TIMES, MOST_SECOND), 0.0
        room = np.maximum(self.own_s(second, 0.0) - self.step_s, 0) / self.each_s
        first = FIRST_PARTS[:, None] * room
        local, layers = self.sequence.local_s, self.sequence.layers
        for resident in (before, before / 2, 0.0):
            own = (self.own_s(resident + first, resident * local), self.own_s(second, 0.0))
            away = (np.where(one > 0, self.step_s + one * self.each_s, 0.0) for one in (first, second))
            sides = ([one / layers for one in side] for side in (own, away))
            steps = layers * played_turns_s(*sides, PLAYED_LAYERS)
            total = resident + first + second
            found = max(found, float(np.where(steps <= self.limit_s, total / steps, 0.0).max()))
        return found


def looped_ratio(looped, way):
    """Return decoding with a pool over without, from one `Looped`."""
    before, rate = looped.without()
    return float(ratio(looped.pooled(way, before), rate))
