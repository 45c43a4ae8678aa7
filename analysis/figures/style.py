"""House style: seven inches wide, Okabe-Ito colours, readable on light and dark pages."""

from contextlib import contextmanager

# Okabe and Ito (2008): told apart with every kind of colour blindness.
COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#8C8C8C",
}
VERDICT_COLOURS = {
    "reproduced": COLOURS["green"],
    "conditional": COLOURS["orange"],
    "not reproduced": COLOURS["vermilion"],
    "not computable": COLOURS["grey"],
    "open": COLOURS["grey"],
}
VERDICT_MARKERS = {"reproduced": "o", "conditional": "D", "not reproduced": "X", "not computable": "_", "open": "_"}
VENDORS = ("NVIDIA", "AMD", "Google", "Huawei", "Intel", "AWS")
VENDOR_COLOURS = dict(zip(VENDORS, ("green", "vermilion", "blue", "orange", "sky", "purple"), strict=True))
WIDTH_IN = 7.0
CLAIM = COLOURS["purple"]


def vendor_colour(vendor):
    """Return the colour of a vendor; one that the style does not know is grey."""
    return COLOURS[VENDOR_COLOURS.get(vendor, "grey")]


@contextmanager
def house_style(ink="#1f2328", ground="#ffffff"):
    """Apply the house style inside a block.

    Parameters
    ----------
    ink, ground : str
        Colours of text and lines, and of the page; a figure carries its ground, so that it reads in dark mode too.
    """
    import matplotlib as mpl

    settings = {
        "figure.facecolor": ground,
        "savefig.facecolor": ground,
        "axes.facecolor": ground,
        "figure.dpi": 100,
        "savefig.dpi": 150,
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "legend.frameon": False,
        "svg.hashsalt": "analysis",
        "svg.fonttype": "path",
    }
    with mpl.rc_context(settings):
        yield


def show(figure):
    """Show a figure in a notebook and close it, returning nothing that would be printed."""
    import matplotlib.pyplot as plt
    from IPython.display import display

    display(figure)
    plt.close(figure)
