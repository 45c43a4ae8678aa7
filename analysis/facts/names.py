"""Spellings of accelerators and models, resolved to the names of their tables."""

from analysis.errors import DataError, nearest

TABLES = {"accelerator": "accelerators", "model": "transformers"}


def resolved(facts, kind, text):
    """Return the name that a spelling stands for.

    Parameters
    ----------
    facts : Facts
        The tables; ``aliases.csv`` and the names of the table itself count.
    kind : str
        "accelerator" or "model".
    text : str
        As written in a measurement.

    Returns
    -------
    name : str
        Of the table of that kind.
    precision : str
        Number format that the spelling carries; blank where it carries none.

    Raises
    ------
    DataError
        For a spelling that nobody knows, with the nearest ones.
    """
    known = _spellings(facts, kind)
    if text not in known:
        raise DataError(f"no {kind} {text!r}. {nearest(text, sorted(known))}")
    return known[text]


def _spellings(facts, kind):
    key = ("spellings", kind)
    if key not in facts.derived:
        own = {name: (name, "") for name in facts.table(TABLES[kind])["name"]}
        aliases = facts.table("aliases")
        aliases = aliases[aliases["kind"] == kind]
        facts.derived[key] = own | {row.alias: (row.name, row.precision) for row in aliases.itertuples(index=False)}
    return facts.derived[key]
