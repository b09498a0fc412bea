"""Real Debian guests that boot to ``login:`` on ttyS0, made with mmdebstrap and no mount, loop device or appliance.

``build(Spec(...))`` gives the path of a qcow2 image in the cache: ``CACHE/guests/NAME-KEY.qcow2``, where CACHE is ``$V2VLINT_CACHE`` or
``~/.cache/v2vlint``, NAME spells the spec (``bookworm-bios-ext4``) and KEY hashes the spec and this package's source. Treat the image as
read-only: put an overlay on it. Package sets are cached as ``CACHE/debian/SUITE-GENERATOR-KEY.tar.zst``. Root's password is ``debian``.

Needs root, or a user with subordinate ids (it then works inside ``unshare --user --map-auto``).
"""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from guestbuild import debian_config, filesystem, grub, lvm
from guestbuild.partition import MIB, Partition, disk_size, partition
from guestbuild.tools import BuildError, blank, copy_into, run, stable_uuid, to_qcow2

PACKAGES = (
    "linux-image-amd64", "systemd-sysv", "udev", "kmod", "dbus", "ifupdown", "isc-dhcp-client", "iproute2", "grub-pc-bin",
    "grub-efi-amd64-bin", "grub2-common", "lvm2", "e2fsprogs", "xfsprogs", "btrfs-progs", "zstd", "login", "passwd",
)  # fmt: skip
_FOR_ARM = {"linux-image-amd64": "linux-image-arm64", "grub-efi-amd64-bin": "grub-efi-arm64-bin", "grub-pc-bin": ""}
_UNSHIPPED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True, slots=True)
class Spec:
    """What to build. The defaults are a clean guest; every other value is one deviation.

    ``lvm`` puts the root in ``/dev/vg0/root`` behind an ext4 /boot. ``modules`` is what the initramfs holds: ``most``, or ``list``
    (AHCI, IDE and the filesystems, nothing virtual). ``root`` is how ``root=`` names the root: by UUID or as ``/dev/sda1``.
    ``fallback`` puts ``\\EFI\\BOOT\\BOOTX64.EFI`` on the ESP. ``resume`` adds ``resume=`` with a UUID that is on no disk.
    ``missing_disk`` adds an fstab entry of a disk that is not there. ``fstab_device`` names the root in fstab as ``/dev/sda1``.
    ``blacklist`` are modules blacklisted (in the initramfs, too). ``network``: ``networkd`` (any Ethernet), ``ifupdown`` (eth0,
    net.ifnames=0) or ``pinned`` (ens192, as on VMware). ``cpu_v3`` makes /sbin/init a program that needs x86-64-v3. ``arch`` is Debian's
    word; arm64 starts from UEFI only, and its packages are set up by qemu-user-static. ``init`` is what /sbin/init is, ``kernel`` Debian's
    flavour of it.
    """

    suite: str = "bookworm"
    firmware: Literal["bios", "uefi"] = "bios"
    fs: Literal["ext4", "xfs", "btrfs"] = "ext4"
    lvm: bool = False
    initramfs: Literal["initramfs-tools", "dracut"] = "initramfs-tools"
    modules: Literal["most", "list"] = "most"
    root: Literal["uuid", "device"] = "uuid"
    fallback: bool = True
    resume: bool = False
    missing_disk: Literal["", "required", "nofail"] = ""
    fstab_device: bool = False
    blacklist: tuple[str, ...] = ()
    network: Literal["networkd", "ifupdown", "pinned"] = "networkd"
    cpu_v3: bool = False
    arch: Literal["amd64", "arm64"] = "amd64"
    init: Literal["systemd", "sysv"] = "systemd"
    kernel: Literal["amd64", "cloud-amd64", "rt-amd64"] = "amd64"

    @property
    def name(self) -> str:
        """The spec in a few words: suite, firmware, filesystem, then whatever is not the default."""
        words = [self.suite, self.firmware, self.fs]
        for field in dataclasses.fields(self)[3:]:
            value = getattr(self, field.name)
            if value != field.default:
                text = "-".join(value) if isinstance(value, tuple) else str(value)
                words.append(field.name.replace("_", "") if value is True else f"{field.name.replace('_', '')}={text.lower()}")
        return "-".join(words).replace("/", "_")

    @property
    def root_device(self) -> str:
        """The name the root filesystem has on the machine it was installed on: a SATA disk."""
        if self.lvm:
            return "/dev/mapper/vg0-root"
        return "/dev/sda2" if self.firmware == "uefi" else "/dev/sda1"

    def uuid(self, part: str) -> str:
        """The UUID of a part (``root``, ``boot``, ``swap``…): the same in every build of this spec."""
        return stable_uuid("debian", self.name, part)


def cache_dir() -> Path:
    """Where images and package sets are kept."""
    return Path(os.environ.get("V2VLINT_CACHE") or Path.home() / ".cache" / "v2vlint")


def image_path(spec: Spec) -> Path:
    """Where :func:`build` puts (or has put) the image."""
    return cache_dir() / "guests" / f"{spec.name}-{_key(repr(spec), _sources())}.qcow2"


def build(spec: Spec, verbose: bool = False) -> Path:
    """The image for ``spec``, built when the cache does not have it. Safe to call from several processes."""
    image = image_path(spec)
    with _locked(image):
        if not image.exists():
            packages = package_set(spec, verbose)
            _say(verbose, f"building {image.name}")
            _build_as_root(spec, packages, image)
    return image


def package_set(spec: Spec, verbose: bool = False) -> Path:
    """The tar archive of the installed system that ``spec`` starts from."""
    packages = packages_of(spec)
    arch = "" if spec.arch == "amd64" else f"{spec.arch}-"
    archive = cache_dir() / "debian" / f"{spec.suite}-{arch}{spec.initramfs}-{_key(packages, _UNSHIPPED)}.tar.zst"
    with _locked(archive):
        if not archive.exists():
            _say(verbose, f"installing {spec.suite} with {spec.initramfs}")
            partial = archive.with_suffix(".partial.zst")
            excluded = [f"--dpkgopt=path-exclude={path}" for path in _UNSHIPPED]
            run(
                "mmdebstrap",
                f"--arch={spec.arch}",
                "--variant=minbase",
                f"--include={','.join(packages)}",
                *excluded,
                "--format=tar",
                spec.suite,
                partial,
            )
            partial.rename(archive)
    return archive


def packages_of(spec: Spec) -> tuple[str, ...]:
    """The packages that are installed, for the spec's architecture."""
    others = {
        **(_FOR_ARM if spec.arch == "arm64" else {"linux-image-amd64": f"linux-image-{spec.kernel}"}),
        **({"systemd-sysv": "sysvinit-core"} if spec.init == "sysv" else {}),
    }
    return tuple(name for one in (*PACKAGES, spec.initramfs) if (name := others.get(one, one)))


def _build_as_root(spec: Spec, packages: Path, image: Path) -> None:
    if os.geteuid() == 0:
        assemble(spec, packages, image)
        return
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); from guestbuild import debian; debian.assemble_from(json.loads(sys.argv[2]))"
    job = json.dumps({"spec": dataclasses.asdict(spec), "packages": str(packages), "image": str(image)})
    here = Path(__file__).resolve().parents[1]
    run("unshare", "--user", "--map-root-user", "--map-auto", "--mount", sys.executable, "-c", code, here, job)


def assemble_from(job: dict[str, object]) -> None:
    """Entry point inside the user namespace: :func:`assemble` with the arguments as JSON values."""
    values = job["spec"]
    assert isinstance(values, dict)
    spec = Spec(**{**values, "blacklist": tuple(values["blacklist"])})
    assemble(spec, Path(str(job["packages"])), Path(str(job["image"])))


def assemble(spec: Spec, packages: Path, image: Path) -> None:
    """Unpack the package set, configure it for ``spec`` and write the image."""
    with tempfile.TemporaryDirectory(prefix="guest-", dir=image.parent) as folder:
        work, tree = Path(folder), Path(folder) / "tree"
        tree.mkdir()
        devices = [] if os.geteuid() == 0 and _can_mknod(work) else ["--exclude=./dev/*"]
        run("tar", "--zstd", "-xf", packages, "-C", tree, "--numeric-owner", "--same-owner", "-p", *devices)
        debian_config.configure(tree, spec, work)
        to_qcow2(disk(spec, tree, work), image, ("-c", "-o", "compression_type=zstd"))


def _can_mknod(work: Path) -> bool:
    try:
        os.mknod(work / "null", 0o20666, os.makedev(1, 3))
    except OSError:
        return False
    return True


def disk(spec: Spec, tree: Path, work: Path, fill: Callable[[Path], None] | None = None) -> Path:
    """The raw disk with the configured ``tree``. GRUB is installed; ``fill`` puts another loader on the EFI system partition."""
    boot, efi = work / "boot", work / "efi"
    boot.mkdir()
    efi.mkdir()
    platform = ("x86_64-efi" if spec.arch == "amd64" else "arm64-efi") if spec.firmware == "uefi" else "i386-pc"
    grub.copy_modules(tree, platform, tree / "boot")
    place = _grub_place(spec)
    if fill is not None:
        fill(efi)
    elif spec.firmware == "uefi":
        debian_config.fill_esp(efi, grub.efi_application(tree, work, platform, **place), spec)
    parts = _parts(spec, tree, boot, efi, work)
    layout = tuple(part for part, _content in parts)
    raw = blank(work / "disk.raw", disk_size(layout))
    identity = spec.uuid("disk") if spec.firmware == "uefi" else f"0x{spec.uuid('disk')[:8]}"
    offsets = partition(raw, "gpt" if spec.firmware == "uefi" else "mbr", layout, identity)
    for offset, (_part, content) in zip(offsets, parts, strict=True):
        copy_into(raw, offset, content)
        content.unlink()
    if spec.firmware == "bios":
        grub.install_bios(raw, tree, work, **place)
    return raw


def _grub_place(spec: Spec) -> dict[str, str]:
    if spec.lvm:
        return {"fs_type": "ext4", "fs_uuid": spec.uuid("boot"), "prefix": "/grub"}
    return {"fs_type": spec.fs, "fs_uuid": spec.uuid("root"), "prefix": "/boot/grub"}


def _parts(spec: Spec, tree: Path, boot: Path, efi: Path, work: Path) -> list[tuple[Partition, Path]]:
    parts: list[tuple[Partition, Path]] = []
    if spec.firmware == "uefi":
        esp = filesystem.make("vfat", work / "esp.img", 64 * MIB, efi, uuid=spec.uuid("esp"), label="ESP")
        parts.append((Partition(64 * MIB, "esp", spec.uuid("esp-part")), esp))
    if spec.lvm:
        _move_children(tree / "boot", boot)
        content = filesystem.make("ext4", work / "boot.img", 192 * MIB, boot, uuid=spec.uuid("boot"))
        parts.append((Partition(192 * MIB, "linux", spec.uuid("boot-part"), active=True), content))
    root = filesystem.make(spec.fs, work / "root.img", _root_size(tree), tree, uuid=spec.uuid("root"))
    size = root.stat().st_size
    if spec.lvm:
        size = -(-lvm.group_size((size,)) // MIB) * MIB
        root = lvm.write_group(work / "pv.img", "vg0", (lvm.Volume("root", root),), size)
    parts.append((Partition(size, "lvm" if spec.lvm else "linux", spec.uuid("root-part"), active=not spec.lvm), root))
    return parts


def _root_size(tree: Path) -> int:
    return -(-(filesystem.tree_size(tree) * 5 // 4 + 128 * MIB) // (4 * MIB)) * 4 * MIB


def _move_children(source: Path, target: Path) -> None:
    for child in source.iterdir():
        shutil.move(child, target / child.name)


@functools.cache
def _sources() -> tuple[str, ...]:
    modules = ("debian", "debian_config", "filesystem", "grub", "lvm", "partition", "tools")
    return tuple(hashlib.sha256((Path(__file__).parent / f"{name}.py").read_bytes()).hexdigest() for name in modules)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(verbose: bool, text: str) -> None:
    if verbose:
        sys.stderr.write(f"{text}\n")


__all__ = ["BuildError", "Spec", "build", "cache_dir", "image_path", "package_set"]
