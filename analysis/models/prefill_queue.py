"""Which prompts an engine puts into which step when many arrive together, and how long a step keeps how many waiting.

Prompts are taken first come first served into steps of at most so many tokens. An idle engine starts with the request
that arrives first; the others come during that step. A request has its first token at the end of the step with the
last part of its prompt. None of this depends on how long a step takes, as requests of a closed loop arrive where
another one ends, at the end of a step: so a schedule is made once, and times are put in later.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """Steps of one run, one entry each.

    Attributes
    ----------
    waiting : ndarray
        Part of all requests whose first token waits for the step.
    tokens : ndarray
        Tokens that pass the layers: parts of prompts, and one of each sequence that decodes.
    pairs : ndarray
        Query-key pairs in one layer.
    looked_back : ndarray
        Earlier tokens of the prompts in the step.
    ends : ndarray
        Tokens that pass the output head: ends of prompts, and sequences that decode.
    loads : ndarray
        Requests whose cached prefix is loaded before the step.
    """

    waiting: np.ndarray
    tokens: np.ndarray
    pairs: np.ndarray
    looked_back: np.ndarray
    ends: np.ndarray
    loads: np.ndarray


def schedule(prompt_tokens, cached_tokens, concurrency, requests, budget, output_tokens=0, *, chunked=True):
    """Return the steps in which equal requests get their first token.

    Parameters
    ----------
    prompt_tokens, cached_tokens : int
        Of one request; at least one token is computed.
    concurrency, requests : int
        Requests in flight, and of the whole run. As many at once where they are equal; else the next one arrives when
        one is through.
    budget : int
        Tokens of a step.
    output_tokens : int
        That a request decodes on the same cards before it is through; 0 where others decode.
    chunked : bool
        A prompt may be cut where a step is full. Else a step takes whole prompts, and a longer one than the budget by
        itself.

    Returns
    -------
    Schedule
        Until the last first token.
    """
    suffix = max(1, prompt_tokens - cached_tokens)
    coming = requests - min(concurrency, requests)
    queue, late = deque([suffix]), requests - coming - 1
    decoding, steps, served = [], [], 0
    while served < requests:
        arrived = len(queue) + late
        room = max(1, budget - len(decoding)) if chunked else budget
        tokens, pairs, seen, ended, loads = _taken(queue, room, suffix, prompt_tokens, chunked)
        served += ended
        pairs += sum(prompt_tokens + output_tokens - left for left in decoding)
        steps.append((arrived, tokens + len(decoding), pairs, seen, ended + len(decoding), loads))
        through = sum(left == 1 for left in decoding)
        decoding = [left - 1 for left in decoding if left > 1]
        if output_tokens > 1:
            decoding += [output_tokens - 1] * ended
        else:
            through += ended
        arriving = min(coming, through)
        coming -= arriving
        queue.extend([suffix] * (late + arriving))
        late = 0
    waiting, *others = np.array(steps, dtype=float).T
    return Schedule(waiting / requests, *others)


def _taken(queue, room, suffix, prompt_tokens, chunked):
    """Take parts of prompts off the queue: tokens, pairs, tokens looked back on, prompts that end, and that begin."""
    tokens = pairs = looked_back = ended = loads = 0
    while queue and tokens < room:
        left = queue[0]
        if not chunked and tokens and tokens + left > room:
            break
        part = min(left, room - tokens) if chunked else left
        loads += left == suffix
        seen = prompt_tokens - left
        pairs += part * seen + part * (part + 1) / 2
        looked_back += seen
        tokens += part
        if part < left:
            queue[0] = left - part
            break
        queue.popleft()
        ended += 1
    return tokens, pairs, looked_back, ended, loads
