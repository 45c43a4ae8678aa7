"""Showing a record in a notebook: the card for a reader, the record for a machine, in one output."""

MIME = "application/vnd.claim+json"


def record_claim(record):
    """Display a record: an HTML card, its text, and the record itself as JSON, in one output.

    Parameters
    ----------
    record : Record

    Raises
    ------
    RuntimeError
        If two methods disagree at default parameters: that is a defect of ours, not a finding.
    """
    from IPython.display import display

    display({MIME: record.to_dict(), "text/html": record._repr_html_(), "text/plain": str(record)}, raw=True)
    if record.methods_agree is False and not record.pinned and not record.data_overlay:
        raise RuntimeError(f"{record.id}: two methods disagree at default parameters; see `methods` on the card")
