"""The run as JUnit XML, for a CI's report page. A claim that does not hold is a finding there, not a failure."""

from xml.etree import ElementTree

VALID = {"\t", "\n", "\r"}


def to_junit(entries: dict[str, dict], records: list[dict]) -> str:
    """One test case a notebook and one a claim.

    Parameters
    ----------
    entries : dict
        Notebooks as in run.json: ``seconds``, and ``failed`` with the error's text.
    records : list of dict
        The scorecard.
    """
    root = ElementTree.Element("testsuites")
    _notebooks(root, entries)
    _claims(root, records)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _notebooks(root: ElementTree.Element, entries: dict[str, dict]) -> None:
    failed = sum("failed" in entry for entry in entries.values())
    suite = _suite(root, "notebooks", len(entries), failed)
    for stem, entry in sorted(entries.items()):
        case = ElementTree.SubElement(
            suite, "testcase", classname="notebooks", name=stem, time=f"{entry.get('seconds', 0):.3f}"
        )
        if "failed" in entry:
            message = printable(entry["failed"])
            ElementTree.SubElement(case, "failure", message=message.partition("\n")[0]).text = message


def _claims(root: ElementTree.Element, records: list[dict]) -> None:
    suite = _suite(root, "claims", len(records), 0)
    for record in records:
        case = ElementTree.SubElement(suite, "testcase", classname="claims", name=record["id"])
        properties = ElementTree.SubElement(case, "properties")
        for name in ("verdict", "claimed", "estimate", "share"):
            ElementTree.SubElement(properties, "property", name=name, value=printable(str(record.get(name))))
        ElementTree.SubElement(case, "system-out").text = printable(record.get("conditions") or "")


def _suite(root: ElementTree.Element, name: str, tests: int, failures: int) -> ElementTree.Element:
    return ElementTree.SubElement(root, "testsuite", name=name, tests=str(tests), failures=str(failures))


def printable(text: str) -> str:
    """A text without the control characters that XML does not allow."""
    return "".join(sign for sign in text if sign in VALID or sign.isprintable())
