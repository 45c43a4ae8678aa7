"""How kernels are started: from this interpreter, and never outliving their worker."""

import sys

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from analysis.runner.worker import die_with_parent


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
