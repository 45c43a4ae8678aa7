"""How kernels are started: from this interpreter, and never outliving their worker."""

import ctypes
import signal
import sys

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

PR_SET_PDEATHSIG = 1


class Kernel(AsyncKernelManager):
    """A kernel of the running interpreter, whatever kernel specifications the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The specification: this interpreter's ipykernel."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3 (ipykernel)", language="python")

    async def _async_launch_kernel(self, command: list[str], **options) -> None:
        # ipykernel's own watch over its parent starts late and polls: a kernel whose worker is killed
        # while it imports could stay for ever.
        await super()._async_launch_kernel(command, preexec_fn=die_with_parent, **options)


def die_with_parent() -> None:
    """Have the system kill this process when its parent ends, however that ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
