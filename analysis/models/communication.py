"""How many bytes a model must move for each floating-point operation: what a link has to offer to hide them."""

FORWARD_AND_BACKWARD = 2
# Two operations a parameter forward, four backward.
TRAINING_FLOP_PER_PARAMETER = 6
ALL_REDUCES_PER_LAYER = 4


def all_to_all_bytes_per_flop(*, moe_layers, hidden_size, experts_per_token, active_parameters, bytes_per_value):
    """Return the bytes that expert parallelism sends for each FLOP of training.

    Every token goes to its experts and back in every MoE layer, forward and backward; no copy is saved by routing
    within a node, so this is the demand of one expert a card.

    Parameters
    ----------
    moe_layers, hidden_size, experts_per_token : float
        Shape of the model.
    active_parameters : float
        Parameters that a token uses.
    bytes_per_value : float
        Dispatch and combine added up.

    Returns
    -------
    float
        Bytes per FLOP, one way.

    Examples
    --------
    >>> shape = dict(moe_layers=1, hidden_size=6, experts_per_token=1, active_parameters=2)
    >>> all_to_all_bytes_per_flop(**shape, bytes_per_value=3)
    3.0
    """
    sent = FORWARD_AND_BACKWARD * moe_layers * experts_per_token * hidden_size * bytes_per_value
    return sent / (TRAINING_FLOP_PER_PARAMETER * active_parameters)


def all_reduce_bytes_per_flop(*, layers, hidden_size, parameters, tensor_parallel, bytes_per_value):
    """Return the bytes that tensor parallelism sends for each FLOP of training.

    Two all-reduces a layer forward and two backward; a ring all-reduce over n cards sends ``2 (n - 1) / n`` of the
    data, and each card computes 1/n of the layer.

    Parameters
    ----------
    layers, hidden_size, parameters : float
        Shape of the model.
    tensor_parallel : int
        Cards that share a layer.
    bytes_per_value : float
        Of an activation.

    Returns
    -------
    float
        Bytes per FLOP of one card, one way. Zero for one card.

    Source: [shoeybi2019megatron], section 3.
    """
    ring = 2 * (tensor_parallel - 1) / tensor_parallel
    sent = layers * ALL_REDUCES_PER_LAYER * ring * hidden_size * bytes_per_value
    return sent * tensor_parallel / (TRAINING_FLOP_PER_PARAMETER * parameters)
