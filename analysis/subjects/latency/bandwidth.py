"""Hundred-TB-class bandwidth: what each reading of the words would move, and what is known to be installed."""

import pandas as pd

BITS_A_BYTE = 8
BYTES_A_TERABYTE = 1e12
# The article gives an amount; a rate needs bits or bytes, and a second.
READINGS_TBPS = {"Tbit/s": 1 / BITS_A_BYTE, "TB/s": 1.0}


def transfer_seconds(facts, amount):
    """Return how long each payload of ``transfers.csv`` takes at `amount` Tbit/s and at `amount` TB/s.

    Parameters
    ----------
    facts : Facts
    amount : float
        The number of the ledger.

    Returns
    -------
    pandas.DataFrame
        payload, size_TB, derivation, source, and seconds by reading.
    """
    table = facts.table("transfers")
    size_TB = table["items"] * table["bytes_per_item"] / BYTES_A_TERABYTE
    found = pd.DataFrame({"payload": table["payload"], "size_TB": size_TB})
    found["derivation"] = [
        row["note"] if row["bytes_per_item"] == 1 else f"{row['bytes_per_item']:,.0f} bytes a {row['item'][:-1]}"
        for row in table.to_dict("records")
    ]
    found["source"] = table["source"]
    for reading, terabytes in READINGS_TBPS.items():
        found[reading] = size_TB / (amount * terabytes)
    return found


def installed(facts, amount):
    """Return the bandwidth installed between all national hubs, and what share of it each reading would be.

    Parameters
    ----------
    facts : Facts
    amount : float

    Returns
    -------
    installed_tbps : float
        Tbit/s.
    shares : dict of str to float
        Reading to a fraction; above 1 where one link would outdo them all.
    source : str
    """
    table = facts.table("network_delay")
    row = table[table["quantity"] == "bandwidth"].iloc[0]
    total = float(row["value"])
    shares = {reading: amount * terabytes * BITS_A_BYTE / total for reading, terabytes in READINGS_TBPS.items()}
    return total, shares, row["source"]
