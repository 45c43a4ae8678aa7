"""What is known: tables read from ``data/`` and checked; nothing is computed here."""

from analysis.facts.store import DATA, Facts, open_facts

__all__ = ["DATA", "Facts", "open_facts"]
