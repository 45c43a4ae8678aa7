"""Second method: the same enumeration as a plain loop over the CSV rows, without NumPy or pandas arithmetic."""

import statistics

BUS_COLUMNS = {"scale-up-link": "scaleup_GBps_bidirectional", "host-bus": "host_bus_GBps_bidirectional"}
NETWORK_COLUMNS = {"per-port": "scaleout_port_gbps", "per-accelerator": "scaleout_gbps_per_accelerator"}
COLUMNS_BY_BITS = (
    (16, ("fp32_tflops", "fp16_dense_tflops", "bf16_dense_tflops")),
    (8, ("fp8_dense_tflops", "int8_dense_tops")),
    (4, ("fp4_dense_tflops",)),
)


def ratios_of(facts, settings, reading):
    """Return a function of the assumptions that gives the median ratio of one reading, as a list of one."""

    def median(values):
        rows = _combinations(facts, settings, values, _figures(settings, reading))
        return [statistics.median(ratio for _, ratio in rows)]

    return median


def joint_ratios(facts, settings):
    """Return a function of the assumptions that gives the three medians over combinations that have all three."""

    def medians(values):
        computes = [
            row
            for reading in ("best-format", "like-for-like", "with-sparsity")
            for row in _combinations(facts, settings, values, _figures(settings, reading))
        ]
        links = [
            [row for reading in columns for row in _combinations(facts, settings, values, _figures(settings, reading))]
            for columns in (BUS_COLUMNS, NETWORK_COLUMNS)
        ]
        together = [
            (compute, bus, network)
            for pair, compute in computes
            for bus_pair, bus in links[0]
            if bus_pair == pair
            for network_pair, network in links[1]
            if network_pair == pair
        ]
        return [statistics.median(column) for column in zip(*together, strict=True)]

    return medians


def _combinations(facts, settings, values, figures):
    """Every pair, date basis and convention whose figures are confirmed at both ends, with its ratio."""
    cards = facts.table("accelerators").to_dict("records")
    disputed = {(row["name"], row["column"]): row for row in facts.table("disputed").to_dict("records")}
    found = []
    for start in cards:
        for end in cards:
            if start["vendor"] != end["vendor"] or settings["vendor"] not in ("all", start["vendor"]):
                continue
            if not all(card["scaleup_GBps_bidirectional"] > 0 for card in (start, end)):
                continue
            for basis in ("announced", "available"):
                span = _span_years(start, end, basis, settings, values)
                if span is None:
                    continue
                for first, last in figures(start, end, values, disputed):
                    exponent = settings["years"] / span if settings["scaled"] else 1.0
                    found.append(((start["name"], end["name"], basis), (last / first) ** exponent))
    return found


def _span_years(start, end, basis, settings, values):
    if not start[basis] or not end[basis] or end[basis] > settings["latest"]:
        return None
    span = (_months(end[basis]) - _months(start[basis])) / 12
    if abs(span - settings["years"]) > settings["window_years"] + 1e-9:
        return None
    for card, sign, error in ((end, 1, "end_date_error_years"), (start, -1, "start_date_error_years")):
        if basis not in card["checked_columns"].split(";") or "-" not in card[basis]:
            span += sign * values[error]
    return max(span, 0.5)


def _months(date):
    year, _, month = date.partition("-")
    return int(year) * 12 + (int(month) - 1 if month else 6)


def _figures(settings, reading):
    """Return a function that yields the figures of two cards under every convention of a reading."""
    allowed = settings["formats"].split(",")

    def counts(column):
        return "all" in allowed or column.split("_")[0] in [word.strip() for word in allowed]

    columns = [column for _, group in COLUMNS_BY_BITS for column in group if counts(column)]

    def like_for_like(start, end, values, disputed):
        for column in columns:
            yield _cell(start, column, "start", values, disputed), _cell(end, column, "end", values, disputed)

    def link(start, end, values, disputed):
        column = (BUS_COLUMNS | NETWORK_COLUMNS)[reading]
        yield _cell(start, column, "start", values, disputed), _cell(end, column, "end", values, disputed)

    def best(start, end, values, disputed):
        wider = []
        for _, group in COLUMNS_BY_BITS:
            own = [column for column in group if column in columns]
            wider += own
            if any(_counts_as_own(card, own, reading) for card in (start, end)):
                yield (
                    _best(start, wider, "start", values, disputed, reading),
                    _best(end, wider, "end", values, disputed, reading),
                )

    chosen = {"like-for-like": like_for_like, "best-format": best, "with-sparsity": best}.get(reading, link)

    def known(start, end, values, disputed):
        return [pair for pair in chosen(start, end, values, disputed) if None not in pair]

    return known


def _counts_as_own(card, columns, reading):
    own = [column for column in columns if card[column] > 0]
    return bool(own) and (reading == "best-format" or any(_sparse(card, column) for column in own))


def _sparse(card, column):
    return column.split("_")[0] in card["sparsity_formats"].split(";")


def _cell(card, column, end, values, disputed):
    """A confirmed figure, None where there is none."""
    figure, confirmed = _figure(card, column, end, values, disputed)
    return figure if confirmed else None


def _figure(card, column, end, values, disputed):
    confirmed = column in card["checked_columns"].split(";")
    if not card[column] > 0:
        return None, confirmed
    row = disputed.get((card["name"], column))
    if row is None:
        return card[column], confirmed
    return row["low"] + values[f"{end}_disputed_position"] * (row["high"] - row["low"]), confirmed


def _best(card, columns, end, values, disputed, reading):
    sparse_confirmed = "sparsity_factor" in card["checked_columns"].split(";")
    found = []
    for column in columns:
        value, confirmed = _figure(card, column, end, values, disputed)
        if value is not None:
            boosted = reading == "with-sparsity" and _sparse(card, column)
            factor = card["sparsity_factor"] if boosted else 1.0
            found.append((value * factor, confirmed and (sparse_confirmed or not boosted)))
    best, confirmed = max(found, default=(None, False))
    return best if confirmed else None
