"""Rule vendor-gpu-stack."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GpuStacks, NotApplicable, Rule, Severity


class VendorGpuStack(Rule):
    """A GPU vendor's driver is installed.

    ## What it does
    Finds NVIDIA's, AMD's (amdgpu-pro) and ATI's (fglrx) drivers by the files of their installers and packages, and the lines that block
    the open-source driver.

    ## Why it matters
    Without the card their services fail at boot, their OpenGL and Vulkan libraries get in the way of the software renderer, and GPU
    computing stops. Their uninstallers expect the card to be present.

    ## References
    - xorg.conf(5), modprobe.d(5); virt-v2v does not touch GPU stacks
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/usr/bin/nvidia-smi": "", "/etc/modprobe.d/nvidia.conf": "# card\nblacklist nouveau\noptions nouveau modeset=0\n"},
            flags=("/usr/bin/nvidia-smi",),
        ),
        Example({"/usr/lib64/xorg/modules/drivers/fglrx_drv.so": ""}, flags=("/usr/lib64/xorg/modules/drivers/fglrx_drv.so",)),
        Example({"/etc/modprobe.d/blacklist.conf": "blacklist nouveau\n"}, title="a blacklist alone is harmless"),
        Example({"/usr/lib/x86_64-linux-gnu/dri/nouveau_dri.so": "", "/usr/lib/xorg/modules/drivers/nouveau_drv.so": ""}),
    )

    def check(self, gpus: GpuStacks) -> Iterator[Finding]:
        if not gpus.stacks:
            raise NotApplicable("no vendor's GPU driver is installed")
        for stack in gpus.stacks:
            message = f"the {stack.vendor} driver is installed"
            effect = "without the card its services fail, and its OpenGL libraries get in the way of software rendering"
            yield self.finding(stack.where, message, effect, related=stack.blacklists)
