"""Compiled structures of an event simulation: the next of many events, and sequences in order of their last step."""

from analysis.models.compiling import inner


@inner
def put(tree, leaf, value):
    """Set the time of one event in a tree whose every node holds the earlier of the two below it.

    Parameters
    ----------
    tree : ndarray of float, shape (2 * leaves,)
        The root is `tree[1]`; the leaves, a power of two in number, fill the upper half.
    leaf : int
    value : float
        Infinity where the event is not due.
    """
    node = leaf + len(tree) // 2
    tree[node] = value
    while node > 1:
        node >>= 1
        earlier = min(tree[2 * node], tree[2 * node + 1])
        if tree[node] == earlier:
            return
        tree[node] = earlier


@inner
def first(tree):
    """Return the leaf of the earliest event; among equals the lowest."""
    leaves = len(tree) // 2
    node = 1
    while node < leaves:
        node *= 2
        if tree[node] > tree[node + 1]:
            node += 1
    return node - leaves


@inner
def push(steps, names, held, step, name):
    """Add a sequence to a heap of `held`, ordered by its last step and then by its number."""
    place = held
    while place:
        above = (place - 1) // 2
        if steps[above] < step or (steps[above] == step and names[above] < name):
            break
        steps[place], names[place] = steps[above], names[above]
        place = above
    steps[place], names[place] = step, name


@inner
def pop(steps, names, held):
    """Remove the first sequence of a heap of `held` and return its number."""
    taken = names[0]
    step, name = steps[held - 1], names[held - 1]
    place = 0
    while 2 * place + 1 < held - 1:
        below = 2 * place + 1
        other = below + 1
        if other < held - 1 and (
            steps[other] < steps[below] or (steps[other] == steps[below] and names[other] < names[below])
        ):
            below = other
        if step < steps[below] or (step == steps[below] and name < names[below]):
            break
        steps[place], names[place] = steps[below], names[below]
        place = below
    steps[place], names[place] = step, name
    return taken
