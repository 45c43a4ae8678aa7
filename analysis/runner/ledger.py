"""What the runner asks about claims. Everything is imported when asked for, so that a run without news starts fast."""


class Ledger:
    """The claims of this project, as the runner sees them."""

    def ids(self, data: str | None = None) -> list[str]:
        """Every claim id, in ledger order."""
        from analysis import evaluation

        return list(evaluation.claims(data)["id"])

    def notebooks(self) -> dict[str, tuple[str, ...]]:
        """The claim ids that each notebook judges, by notebook stem."""
        from analysis.subjects import NOTEBOOKS

        return NOTEBOOKS

    def parameters(self, claim_id: str, data: str | None = None) -> dict[str, dict]:
        """The declared parameters of a claim: name to its row of type, unit, range, options."""
        from analysis import evaluation

        rows = evaluation.parameters(claim_id, data).to_dict("records")
        return {row["name"]: row for row in rows}

    def check(self, claim_ids: tuple[str, ...], values: dict, data: str | None = None) -> None:
        """Refuse (ParameterError) what the claims do not accept."""
        from analysis import evaluation

        evaluation.check_pins(claim_ids, values, data)

    def unrun(self, claim_id: str, reason: str | None, data: str | None = None) -> dict:
        """The record of a claim that no notebook has judged.

        ``reason`` says why it is open; without one the ledger alone decides (open or not computable).
        """
        from analysis import evaluation

        if reason is None:
            return evaluation.evaluate(claim_id, detail="verdict", data=data).to_dict()
        return evaluation.open_record(claim_id, reason, data=data).to_dict()

    def in_order(self, record: dict) -> dict:
        """A record with its fields, readings, parts and drivers in their own order; notebook files sort all keys."""
        from analysis.facts import open_facts
        from analysis.judgement.record import Record

        # The project's own order; what only a reader's tables hold follows it.
        facts = open_facts()
        names = (*Record.__dataclass_fields__, *facts.table("claims")["id"], *facts.table("readings")["reading"])
        ordered = in_order(record, {name: place for place, name in enumerate(dict.fromkeys(names))})
        if ordered["drivers"]:
            ordered["drivers"] = dict(sorted(ordered["drivers"].items(), key=lambda item: -item[1]))
        return ordered

    def sweep(self, claim_id: str, grid: dict, **options):
        """Evaluate a claim over a grid: a table, one row a point."""
        from analysis import evaluation

        return evaluation.sweep(claim_id, grid, **options)


def in_order(value, places: dict[str, int]):
    """A JSON value with the keys of all its objects in order of their places; others follow as they were.

    >>> in_order({"b": 1, "c": {"a": 2}, "a": 3}, {"a": 0, "b": 1})
    {'a': 3, 'b': 1, 'c': {'a': 2}}
    """
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: places.get(name, len(places)))
        return {name: in_order(value[name], places) for name in names}
    return [in_order(part, places) for part in value] if isinstance(value, list) else value
