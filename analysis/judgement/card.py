"""The card of a record: HTML for notebooks, GitHub and dark mode, and text for the terminal."""

import textwrap
from html import escape

from analysis.judgement.sentences import box, number, percent, words

WIDTH = 100
INDENT = 14
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
    for label, items in rows(record):
        wrapped = [line for item in items for line in textwrap.wrap(item, WIDTH - INDENT, subsequent_indent="  ")]
        lines += [f"{'' if number else label:<{INDENT}}{line}" for number, line in enumerate(wrapped)]
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
        f'<td style="text-align:left">{"<br>".join(map(escape, items))}</td></tr>'
        for label, items in rows(record)
    )
    return f'<table><caption style="text-align:left">{head}</caption><tbody>{body}</tbody></table>'


def rows(record):
    """Return the rows of a card: a label and its lines, only those that have something to say.

    Parameters
    ----------
    record : dict
        From `Record.to_dict`.

    Returns
    -------
    list of (str, list of str)
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
    return [(label, [value] if isinstance(value, str) else value) for label, value in found if value]


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
    readings = record["readings"] or {}
    verdicts = {answer["verdict"] for answer in readings.values()}
    lead = ["the verdict depends on the reading:"] if len(verdicts) > 1 else []
    return lead + [_reading(record, *item) for item in readings.items()] if len(readings) > 1 else []


def _reading(record, name, answer):
    if not answer["verdict"]:
        return f"{name}: no data under these parameters"
    spread = _spread(record, answer["estimate"], answer["interval"], unit=False)
    return f"{name}: {answer['verdict']}, {spread} ({percent(answer['share'])} hold)"


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
    methods = record["methods"] or {}
    told = [f"{name}: {_spread(record, method['estimate'], None, unit=False)}" for name, method in methods.items()]
    shared = ", ".join(dict.fromkeys(word for method in methods.values() for word in method["shares"]))
    verdict = "they agree" if record["methods_agree"] else "THEY DISAGREE"
    told.append(f"{verdict}, every assumption at its mode" + (f"; both read {shared}" if shared else ""))
    return told if methods else []


def _lines(record):
    return [
        f"{name}: {_spread(record, line['estimate'], line['interval'], unit=False)} – {line['note']}"
        for name, line in (record["lines"] or {}).items()
    ]


def _given(record):
    told = [f"{name} = {record['parameters'].get(name)}" for name in record["pinned"]]
    told += [f"own data: {record['data_overlay']}"] if record["data_overlay"] else []
    return "; ".join([*told, f"seed {record['seed']}"])
