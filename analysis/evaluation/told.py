"""The sentence under `conditions`: what the judgement found, said to a reader."""

import numpy as np

from analysis.judgement import sensitivity, sentences, verdict

# A median of lines further than this from the estimate is worth a word.
DISSENT = 0.25


def conditions(claim, record, questions, answers):
    """Return the sentence that says when a claim holds, from its record so far and the answers of its readings."""
    reading, question = next(iter(questions.items()))
    answer = answers[reading]
    differing = [f"{name}: {other.verdict}" for name, other in answers.items() if other.verdict != answer.verdict]
    units = {one.name: one.unit for one in question.case.assumptions}
    units |= {name: unit for name, (_, _, unit) in question.case.options.ordered.items()}
    return sentences.conditions(
        answer.verdict,
        question.label if len(questions) > 1 else None,
        answer.shares,
        answer.region,
        units,
        resolved=answer.resolved,
        differing=differing,
        nearest_miss=_nearest_miss(claim, question, answer) if claim.joint_of else "",
        lines_note=_lines_note(record),
    )


def _nearest_miss(claim, question, answer):
    """The combination of a joint claim that comes closest, in words."""
    case = question.case
    rows = np.arange(len(case.options))
    values = {one.name: np.full(len(rows), one.mode) for one in case.assumptions}
    margin = sensitivity.worst_margin(case, question.target, rows, values)
    best = int(np.argmax(margin))
    prediction = np.atleast_2d(case.predict(case.options, rows[[best]], {k: v[[best]] for k, v in values.items()}))[
        :, 0
    ]
    told = ", ".join(
        f"{part} {sentences.number(value)}" for part, value in zip(claim.joint_of, prediction, strict=True)
    )
    chosen = ", ".join(str(case.options.columns[name][best]) for name in case.options.choices)
    lead = "its parts come closest together" if not verdict.held(margin[best]) else "all of its parts hold together"
    return f"{lead} for {chosen}, with {told}" if chosen else f"{lead} with {told}"


def _lines_note(record):
    """What the independent lines say, where their median is far from the estimate."""
    if not record.lines or isinstance(record.estimate, dict):
        return ""
    estimates = [line["estimate"] for line in record.lines.values()]
    low, middle, high = np.quantile(estimates, (0, 0.5, 1))
    if abs(middle - record.estimate) <= DISSENT * abs(record.estimate):
        return ""
    shown = [sentences.number(value) for value in (low, high, record.estimate)]
    return f"independent lines of evidence give {shown[0]} to {shown[1]}, against {shown[2]} here"
