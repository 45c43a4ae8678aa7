"""Second method for the attainment: the same rules as a plain loop over the rows of the table."""

SECONDS = {"s": 1, "min": 60, "h": 3600}
STAGES = ("detection", "localisation", "recovery")
SPEAK_FOR = {"explicit-faults": ("explicit",), "all-faults": ("explicit", "implicit")}


def stage_median(facts, settings, stage, reading):
    """Return a function of the assumptions that gives the median time of a stage, as a list of one."""

    def median(values):
        accepted = {*SPEAK_FOR[reading], "all"}
        rows = [row for row in _rows(facts, settings) if row["stage"] == stage and row["faults"] in accepted]
        per_source = [row["source"] for row in rows]
        pairs = [(_minutes(row, values), 1 / per_source.count(row["source"])) for row in rows]
        return [_weighted_median(pairs)]

    return median


def joint_medians(facts, settings, reading):
    """Return a function of the assumptions that gives the three medians over all combinations."""

    def medians(values):
        found = []
        for fault_class in SPEAK_FOR[reading]:
            rows = [row for row in _rows(facts, settings) if row["faults"] in (fault_class, "all")]
            for operator in sorted({row["operator"] for row in rows}):
                found += _triples(rows, operator, values)
        return [_weighted_median([(triple[part], 1.0) for triple in found]) for part in range(len(STAGES))]

    return medians


def _triples(rows, operator, values):
    own = [[row for row in rows if row["operator"] == operator and row["stage"] == stage] for stage in STAGES]
    if sum(bool(part) for part in own) < 2:
        return []
    known = [part or [row for row in rows if row["stage"] == stage] for part, stage in zip(own, STAGES, strict=True)]
    return [
        tuple(_minutes(row, values) for row in (first, second, third))
        for first in known[0]
        for second in known[1]
        for third in known[2]
    ]


def _rows(facts, settings):
    for row in facts.table("operations").to_dict("records"):
        if not row["stage"] or row["role"] != "context":
            continue
        if row["deployment"] == "prototype" and not settings["prototypes"]:
            continue
        if row["confidence"] == "secondhand" and not settings["secondhand"]:
            continue
        yield row


def _minutes(row, values):
    first = last = row["value"]
    if row["bound"] == "range":
        first, last = row["value_low"], row["value_high"]
    elif row["bound"] in ("less_than", "at_most"):
        first = 0.0
    return SECONDS[row["unit"]] / 60 * (first + values["position_in_range"] * (last - first))


def _weighted_median(pairs):
    """The value where half of the weight is reached; the mean of two where it falls between them."""
    pairs = sorted(pairs)
    half, passed = sum(weight for _, weight in pairs) / 2, 0.0
    for place, (value, weight) in enumerate(pairs):
        passed += weight
        if abs(passed - half) < 1e-9 * half:
            return (value + pairs[place + 1][0]) / 2
        if passed > half:
            return value
    return pairs[-1][0]
