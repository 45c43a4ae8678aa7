"""Records that were kept: the committed golden ones, or those of a results folder."""

import json
from pathlib import Path

from analysis.errors import DataError
from analysis.runner.ledger import Ledger

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"


def stored_records(source="golden"):
    """Return one record for every claim of the ledger, in its order.

    Parameters
    ----------
    source : str
        "golden" for the committed records at default parameters, or a folder with a ``scorecard.json``.

    Returns
    -------
    list of dict

    Raises
    ------
    DataError
        If the folder has no scorecard, or it is no JSON list.
    """
    if source != "golden":
        return _read(Path(source) / "scorecard.json")
    ledger = Ledger()
    golden = [record for path in sorted(GOLDEN.glob("*/default.json")) for record in _read(path)]
    found = {record["id"]: ledger.in_order(record) for record in golden}
    return [found.get(claim_id) or ledger.unrun(claim_id, None) for claim_id in ledger.ids()]


def _read(path):
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; run `python -m analysis run` first, or ask for golden records"
        ) from None
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})") from None
    if not isinstance(records, list):
        raise DataError(f"{path}: expected a list of records")
    return records
