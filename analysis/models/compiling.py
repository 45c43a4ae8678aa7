"""How the event loop of `serving` is compiled, in one place; imported only by compiled modules.

Its functions pass a tuple of arrays to one another. Counting references to each array at each call would take most of
the time, and nothing in the loop allocates or frees: so references are not counted, and large functions are merged into
their caller. Only the loop itself is called from Python and kept on disk.
"""

import inspect
import zlib

from numba import njit

OPTIONS = {"error_model": "numpy", "_nrt": False}
INNER = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inner = njit(**INNER)
merged = njit(forceinline=True, **INNER)
kept = njit(cache=True, **OPTIONS)


def fingerprint(*modules):
    """Return a number that changes with the source of any module.

    What is kept on disk is looked up by the source of its own module and by the variables that it encloses, not by the
    sources of what it calls.
    """
    return zlib.crc32("".join(inspect.getsource(module) for module in modules).encode())
