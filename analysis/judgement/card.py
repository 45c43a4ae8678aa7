"""The card of a record: HTML for notebooks, GitHub and dark mode, and text for the terminal."""

import textwrap
from html import escape

from analysis.judgement.sentences import box, number, percent, words

WIDTH = 100
SHOWN = 6
MARKS = {"reproduced": "✔", "conditional": "◐", "not reproduced": "✘", "not computable": "–", "open": "…"}
COMPARED = {
    "eq": "=",
    "at_least": "≥",
    "at_most": "≤",
    "up_to": "up to",
    "count": "all",
    "fact": "=",
    "qualitative": "≥",
}


def text(record):
    """Return a record as text for the terminal.

    Parameters
    ----------
    record : dict
        From `Record.to_dict`.

    Returns
    -------
    str
    """
    lines = [f"{record['id']} – {record['title']}", f"“{record['quote']}”", ""]
    for label, value in rows(record):
        wrapped = textwrap.wrap(value, WIDTH - 14) or [""]
        lines += [f"{label:<13} {wrapped[0]}", *(f"{'':<13} {line}" for line in wrapped[1:])]
    return "\n".join(lines)


def html(record):
    """Return a record as a table that needs no style sheet; the verdict is a word and a mark, not a colour alone.

    Parameters
    ----------
    record : dict
        From `Record.to_dict`.

    Returns
    -------
    str
        Every value escaped; the same bytes for the same record.
    """
    head = f'<b>{escape(record["id"])}</b> – {escape(record["title"])}<br><q lang="zh">{escape(record["quote"])}</q>'
    body = "".join(
        f'<tr><th style="text-align:left;vertical-align:top;white-space:nowrap">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for label, value in rows(record)
    )
    return f'<table><caption style="text-align:left">{head}</caption><tbody>{body}</tbody></table>'


def rows(record):
    """Return the rows of a card: label and text, only those that have something to say.

    Parameters
    ----------
    record : dict
        From `Record.to_dict`.

    Returns
    -------
    list of (str, str)
    """
    found = [
        ("verdict", f"{MARKS[record['verdict']]} {record['verdict']}{' (fragile)' if record['fragile'] else ''}"),
        ("claimed", _claimed(record)),
        ("predicted", _spread(record, record["estimate"], record["interval"])),
        ("holds in", _shares(record)),
        ("reading", record["reading"]),
        ("readings", _readings(record)),
        ("conditions", record["conditions"]),
        ("region", _region(record)),
        ("break-even", _break_even(record)),
        ("decided by", _drivers(record)),
        ("resolution", _resolution(record)),
        ("robustness", _robustness(record)),
        ("methods", _methods(record)),
        ("lines", _lines(record)),
        ("given", _given(record)),
        ("evidence", ", ".join(record["evidence"].get("keys", []))),
    ]
    return [(label, value) for label, value in found if value]


def _unit(record):
    return record["unit"] or ""


def _claimed(record):
    if isinstance(record["claimed"], dict):
        parts = ", ".join(f"{part} {number(value)}" for part, value in record["claimed"].items())
        return f"all of: {parts} {_unit(record)}"
    if record["claimed"] is None:
        return ""
    return f"{COMPARED[record['comparator']]} {number(record['claimed'])} {_unit(record)} ({record['metric']})"


def _spread(record, estimate, interval, unit=True):
    if estimate is None:
        return ""
    if isinstance(estimate, dict):
        return "; ".join(
            f"{part} {_spread(record, value, (interval or {}).get(part), unit=False)}"
            for part, value in estimate.items()
        )
    tail = f" [{number(interval[0])} to {number(interval[1])}]" if interval else ""
    return f"{number(estimate)}{tail} {_unit(record) if unit else ''}".rstrip()


def _shares(record):
    if record["share"] is None:
        return ""
    sides = f"below {percent(record['share_below'])}, beyond {percent(record['share_above'])}"
    return f"{percent(record['share'])} of the declared set; {sides}"


def _readings(record):
    if not record["readings"] or len(record["readings"]) < 2:
        return ""
    verdicts = {answer["verdict"] for answer in record["readings"].values()}
    lead = "depends on the reading: " if len(verdicts) > 1 else ""
    return lead + "; ".join(
        f"{name}: {answer['verdict']}, {_spread(record, answer['estimate'], answer['interval'], unit=False)}"
        f" ({percent(answer['share'])} hold)"
        if answer["verdict"]
        else f"{name}: no data under these parameters"
        for name, answer in record["readings"].items()
    )


def _region(record):
    if record["region"] is None:
        return ""
    region = record["region"]
    numbers = f"mass {percent(region['mass'])}, {percent(region['density'])} hold inside"
    return f"{box(region['box'], {})} – {numbers}, {percent(region['coverage'])} of all holding points"


def _break_even(record):
    if not record["break_even"]:
        return ""
    found = [f"{words(name)} {_value(value)}" for name, value in record["break_even"].items() if value is not None]
    return "; ".join(found) or "nothing crosses inside the declared ranges"


def _value(value):
    if not isinstance(value, list):
        return number(value)
    more = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
    return ", ".join(str(part) for part in value[:SHOWN]) + more


def _drivers(record):
    if not record["drivers"]:
        return ""
    shown = [f"{words(name)} {index:.2f}" for name, index in record["drivers"].items() if index >= 0.005]
    return ", ".join(shown[:SHOWN]) or "nothing: the prediction is constant"


def _resolution(record):
    if record["model_error"] is None:
        return f"no model error: {record['reasons'].get('model_error', '')}" if record["estimate"] is not None else ""
    low, high = (100 * end for end in record["model_error"])
    return f"the model is off by {low:+.0f} to {high:+.0f} % on rows it was not fitted on"


def _robustness(record):
    if not record["robustness"]:
        return ""
    changed = [f"{name}: {other}" for name, other in record["robustness"].items() if other != record["verdict"]]
    lead = (
        f"the verdict stands under {len(record['robustness']) - len(changed)} of {len(record['robustness'])} variations"
    )
    return f"{lead}; otherwise {'; '.join(changed[:SHOWN])}" if changed else lead


def _methods(record):
    if not record["methods"]:
        return ""
    told = "; ".join(
        f"{name}: {_spread(record, m['estimate'], None, unit=False)}" for name, m in record["methods"].items()
    )
    return f"{told} – {'they agree' if record['methods_agree'] else 'THEY DISAGREE'}"


def _lines(record):
    if not record["lines"]:
        return ""
    return "; ".join(
        f"{name}: {_spread(record, line['estimate'], line['interval'], unit=False)}"
        for name, line in record["lines"].items()
    )


def _given(record):
    told = [f"{name} = {record['parameters'].get(name)}" for name in record["pinned"]]
    told += [f"own data: {record['data_overlay']}"] if record["data_overlay"] else []
    return "; ".join([*told, f"seed {record['seed']}"])
