"""What libvirt makes of a VMX file or a domain is what we make of it: slots, order of disks, Secure Boot, identifiers, patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2vlint.model.definition import Definition, Topology
from v2vlint.model.source import GuestRef
from v2vlint.source.expand import expand
from v2vlint.source.kinds.libvirt import domain
from v2vlint.source.kinds.vmx import vmx
from v2vlint.source.locate import locate


def machine(*lines: str) -> Definition:
    return vmx("a.vmx", "".join(f"{line}\n" for line in lines).encode())


@pytest.mark.parametrize(
    ("lines", "disks"),
    [
        (('scsi0.present = "TRUE"', 'scsi0:0.present = "TRUE"'), ["scsi0:0"]),
        (('scsi0.present = "TRUE"',), []),
        (('scsi0:0.present = "TRUE"',), []),
        (('scsi0.present = "FALSE"', 'scsi0:0.present = "TRUE"'), []),
    ],
)
def test_a_slot_is_there_when_it_and_its_controller_say_so(lines: tuple[str, ...], disks: list[str]) -> None:
    assert [disk.target for disk in machine('scsi0:0.fileName = "a.vmdk"', *lines).disks] == disks


def test_ide_needs_no_controller() -> None:
    assert len(machine('ide0:0.fileName = "a.vmdk"', 'ide0:0.present = "TRUE"').disks) == 1


def test_what_a_vmx_file_does_not_state() -> None:
    found = machine('ethernet0.present = "TRUE"', 'ethernet0.virtualDev = "vmxnet"', 'ethernet0.features = "15"')
    assert (found.memory_mib, found.cpus, found.nics[0].model, found.topology) == (32, 1, "vmxnet2", Topology())


def test_identifiers_and_topology() -> None:
    """The numbers are those of libvirt's own test esx-in-the-wild-10; the bytes are those that the guest finds, as virt-v2v has them."""
    found = machine(
        'vm.genid = "1424963296993694319"', 'vm.genidX = "-5704120239402535687"', 'numvcpus = "8"', 'cpuid.coresPerSocket = "2"'
    )
    assert (found.genid, found.topology) == ("9f47526f-7c91-13c6-f9b4-4b2edde4d6b0", Topology(4, 2, 1))


def test_templates_and_missing_disks(tmp_path: Path) -> None:
    slots = "".join(f'scsi0:{n}.present = "TRUE"\nscsi0:{n}.fileName = "gone.vmdk"\n' for n in range(2))
    (tmp_path / "web.vmtx").write_text(f'scsi0.present = "TRUE"\n{slots}')
    (tmp_path / "web.vmsd").write_text('snapshot.numSnapshots = "1"\nsnapshot0.uid = "1"\n')
    (ref,) = expand([str(tmp_path / "web.vmtx")])
    source = locate(ref)
    assert source.remarks == (f"disk {tmp_path}/gone.vmdk is missing",)
    assert source.definition is not None
    assert [str(one.where) for one in source.definition.snapshots] == ["web.vmsd"]


FIRMWARE = "<domain><os firmware='efi'>{}</os></domain>"


@pytest.mark.parametrize(
    ("text", "enforced"),
    [
        ("<firmware><feature enabled='yes' name='secure-boot'/></firmware>", True),
        ("<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/></firmware>", False),
        ("<firmware><feature enabled='yes' name='enrolled-keys'/></firmware>", True),
        ("<loader secure='yes' type='pflash'>/x</loader>", True),
        ("<loader secure='yes' type='pflash'>/x</loader><nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'/>", True),
        ("<loader secure='yes' type='pflash'>/x</loader><nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'/>", False),
    ],
)
def test_secure_boot_needs_keys(text: str, enforced: bool) -> None:
    assert domain("a.xml", FIRMWARE.format(text)).secure_boot is enforced


def test_disks_come_in_libvirts_order() -> None:
    names = ("vdb", "sda", "vdaa", "vda", "hdc", "sdb", "vdc")
    disks = "".join(f"<disk><source file='/{name}'/><target dev='{name}'/></disk>" for name in names)
    found = domain("a.xml", f"<domain><devices>{disks}</devices></domain>")
    assert [disk.target for disk in found.disks] == ["vda", "vdb", "vdc", "vdaa", "sda", "sdb", "hdc"]


def test_domains_by_pattern() -> None:
    """The test driver of libvirt knows one domain, which is called test and runs."""
    refs = expand(["domain:t*"], "test:///default")
    assert [(ref.name, ref.state) for ref in refs] == [("domain:test", "running")]
    (none,) = expand(["domain:x*", "domain:test"], "test:///default")[:1]
    assert none.problem == "domain:x*: no domain matches"


def test_saved_memory_is_a_suspended_machine() -> None:
    text = "<domain><name>a</name></domain>"
    for saved in (False, True):
        found = locate(GuestRef("domain:a", "libvirt", (), text, saved=saved)).definition
        assert found is not None
        assert [one.kind for one in found.features] == ["suspended"] * saved
