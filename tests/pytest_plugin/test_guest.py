"""The guest as tests see it: the fixture, the marker, the assertion API and what its failures say."""

from __future__ import annotations

import textwrap

import pytest

from tests.pytest_plugin.guests import azure, place, portable, vsphere

pytest_plugins = ("pytester",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pytest_plugin")]

FACTS = """
    import pytest
    from pytest_v2vlint import Guest, assert_portable

    pytestmark = pytest.mark.v2vlint(image="debian.qcow2")

    def test_facts(v2vlint_guest: Guest) -> None:
        guest = v2vlint_guest
        assert guest.os.distro == "debian"
        assert [entry.mount_point for entry in guest.fstab] == ["/", "none"]
        root = guest.fstab.entry("/")
        assert root.spec == "UUID=8a1c7f0e-2b34-4f5d-9c3e-1d2f3a4b5c6d"
        assert root.spec.where == "/etc/fstab:2:1"
        assert root.options == ("errors=remount-ro",)
        assert "/boot" not in guest.fstab
        entry = guest.bootloader.default
        assert guest.bootloader.loader == "grub2"
        assert entry.kernel == "/boot/vmlinuz-6.1.0-18-amd64"
        assert entry.args["root"].startswith("UUID=")
        assert entry.args.all("console") == ("tty0", "ttyS0,115200")
        assert "quiet" in entry.args and "console=tty0" in entry.args and "nomodeset" not in entry.args
        assert entry.args.get("resume") is None
        assert guest.initramfs.has("virtio-blk") and guest.initramfs.has("nvme")
        assert guest.initramfs.generator == "initramfs-tools"
        assert any(one.dhcp and one.manager == "systemd-networkd" for one in guest.network.interfaces)
        assert guest.packages["grub-pc"].version == "2.06-13+deb12u1"
        assert not guest.package("open-vm-tools").is_installed

    def test_files(v2vlint_guest: Guest) -> None:
        hostname = v2vlint_guest.file("/etc/hostname")
        assert (hostname.exists, hostname.is_file, hostname.text) == (True, True, "portable\\n")
        assert v2vlint_guest.file("/etc/default/grub").contains(r"^GRUB_DEFAULT=0$")
        link = v2vlint_guest.file("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service")
        assert link.is_symlink and link.linked_to.endswith("/lib/systemd/system/systemd-networkd.service")
        assert "fstab" in v2vlint_guest.file("/etc").listdir()
        assert not v2vlint_guest.file("/etc/nothing").exists

    def test_system(v2vlint_guest: Guest) -> None:
        assert v2vlint_guest.service("systemd-networkd").is_enabled
        assert not v2vlint_guest.service("telnet").exists
        assert v2vlint_guest.kernel.has("virtio-blk")
        assert v2vlint_guest.mount_point("/").options == ["errors=remount-ro"]

    def test_boots(v2vlint_guest: Guest) -> None:
        for target in ("kvm", "vmware", "azure"):
            assert v2vlint_guest.forecast(target).will_boot
            assert_portable(v2vlint_guest, target)
"""


def test_the_whole_of_the_api(pytester: pytest.Pytester) -> None:
    place(pytester.path, "debian.qcow2", portable())
    pytester.makepyfile(textwrap.dedent(FACTS))
    result = pytester.runpytest_inprocess()
    assert result.parseoutcomes() == {"passed": 4}, "\n".join(result.outlines)


FAILURES = [
    ('guest.fstab.entry("/srv")', ["*Missing: no fstab entry for /srv in rocky.qcow2: there are /, /boot, /boot/efi, none"]),
    (
        'guest.bootloader.default.args["quiet"]',
        ["*Missing: no kernel argument quiet in Rocky Linux*(/boot/loader/*: *root=/dev/mapper/rl-root*"],
    ),
    ('guest.network.interface("eth0")', ["*Missing: rocky.qcow2 configures no interface eth0: there are *ens192*"]),
    ('guest.packages["open-vm-tools2"]', ["*Missing: package open-vm-tools2 is not installed in rocky.qcow2 (* packages are)"]),
    ('guest.file("/etc/nothing").text', ["*Missing: /etc/nothing is no file in rocky.qcow2: absent"]),
    ('assert guest.initramfs.has("virtio_blk")', ["*<initramfs /boot/initramfs-5.14*.img of rocky.qcow2: * modules, * files>*"]),
    (
        'assert guest.fstab.entry("/boot").spec == "UUID=1234"',
        ["*expected: 'UUID=1234'", "*found:    'UUID=2d0e6a10-93f4-4b5c-8a51-b0b0b0b0b0b0'", "*place:    /etc/fstab:2:1"],
    ),
    (
        'assert guest.service("telnet").is_enabled',
        ["*<service telnet.service of rocky.qcow2: not-found (/etc/systemd/system/telnet.service)>*"],
    ),
    ('assert guest.mount_point("/boot").filesystem == "ext4"', ["*found:    'xfs'", "*place:    /etc/fstab:2:1"]),
    ('assert guest.forecast("kvm").will_boot', ["*<forecast of rocky.qcow2: does not boot on kvm: stops at initramfs: *"]),
    (
        "assert_portable(guest)",
        [
            "*AssertionError: rocky.qcow2 is not portable to kvm: *initramfs-without-storage-driver*",
            "*lacks virtio_blk*",
            "*FAILS   initramfs*",
        ],
    ),
    (
        'assert_portable(guest, ignore=["initramfs-*"], fail_on="warning")',
        ["*AssertionError: rocky.qcow2 is not portable to kvm: *lvm-devices-file*", "*warning: /etc/lvm/devices/system.devices:4:1: *"],
    ),
]


def test_failures_say_what_was_found_and_where(pytester: pytest.Pytester) -> None:
    place(pytester.path, "rocky.qcow2", vsphere())
    head = (
        "import pytest\nfrom pytest_v2vlint import assert_portable\npytestmark = pytest.mark.v2vlint(image='rocky.qcow2', target='kvm')\n"
    )
    tests = [f"def test_{number}(v2vlint_guest):\n    guest = v2vlint_guest\n    {line}\n" for number, (line, _) in enumerate(FAILURES)]
    pytester.makepyfile(head + "\n".join(tests))
    result = pytester.runpytest_inprocess()
    assert result.parseoutcomes() == {"failed": len(FAILURES)}
    result.stdout.fnmatch_lines([word for _, words in FAILURES for word in words])
    result.stdout.no_fnmatch_line("*pytest_v2vlint/*.py:*")


def test_a_guest_out_of_reach_is_not_portable(pytester: pytest.Pytester) -> None:
    place(pytester.path, "ubuntu.qcow2", azure())
    pytester.makepyfile(
        """
        from pytest_v2vlint import assert_portable

        def test_one(v2vlint_guest):
            there = v2vlint_guest.forecast("ec2-nitro")
            assert there.will_boot is not False and there.stops_at == ""
            assert_portable(v2vlint_guest, "azure")
            assert there.reachable
        """
    )
    result = pytester.runpytest_inprocess("--v2vlint", "ubuntu.qcow2", "--v2vlint-target", "ec2-nitro", "-k", "test_one or forecast")
    assert result.parseoutcomes()["failed"] == 2
    result.stdout.fnmatch_lines(
        [
            "*<forecast of ubuntu.qcow2: *, cannot be reached: kernel * no driver*",
            "*ubuntu.qcow2 may not boot on ec2-nitro, cannot be reached",
        ]
    )


def test_what_is_ignored_does_not_count_for_the_boot_either(pytester: pytest.Pytester) -> None:
    place(pytester.path, "rocky.qcow2", vsphere())
    pytester.makepyfile(
        """
        from pytest_v2vlint import assert_portable

        def test_one(v2vlint_guest):
            assert_portable(v2vlint_guest, ignore=["initramfs-*"])
            assert_portable(v2vlint_guest, "vmware")
        """
    )
    assert pytester.runpytest_inprocess("--v2vlint", "rocky.qcow2", "-k", "test_one").parseoutcomes()["passed"] == 1


def test_one_run_per_guest(pytester: pytest.Pytester) -> None:
    place(pytester.path, "debian.qcow2", portable())
    place(pytester.path, "rocky.qcow2", vsphere())
    pytester.makepyfile("def test_name(v2vlint_guest):\n    assert v2vlint_guest.os.hostname")
    result = pytester.runpytest_inprocess("--v2vlint", "debian.qcow2", "--v2vlint", "rocky.qcow2", "-v", "-k", "test_name")
    result.stdout.fnmatch_lines(["*::test_name[[]debian.qcow2] PASSED*", "*::test_name[[]rocky.qcow2] PASSED*"])


WISHES = {
    "a marker with targets": (
        "@pytest.mark.v2vlint(image='a.qcow2', target=['kvm', 'azure'])",
        "",
        [],
        ["a.qcow2-kvm", "a.qcow2-azure"],
    ),
    "images and targets": (
        "@pytest.mark.v2vlint(image=['a.qcow2', 'b.qcow2'], target=['kvm', 'azure'])",
        "",
        [],
        ["a.qcow2-kvm", "a.qcow2-azure", "b.qcow2-kvm", "b.qcow2-azure"],
    ),
    "a list in the module": ("", "v2vlint_images = ['a.qcow2', 'b.qcow2']", [], ["a.qcow2", "b.qcow2"]),
    "the option wins": ("", "v2vlint_images = ['a.qcow2']", ["--v2vlint", "b.qcow2"], ["b.qcow2"]),
    "what an option takes of its items": ("", "", ["--v2vlint", "b.qcow2::forecast", "--v2vlint", "b.qcow2::readable"], ["b.qcow2"]),
    "targets for images of the options": (
        "@pytest.mark.v2vlint(target=['kvm', 'azure'])",
        "",
        ["--v2vlint", "b.qcow2"],
        ["b.qcow2-kvm", "b.qcow2-azure"],
    ),
    "parametrize": ("@pytest.mark.parametrize('v2vlint_guest', ['a.qcow2', 'b.qcow2'], indirect=True)", "", [], ["a.qcow2", "b.qcow2"]),
    "an overridden fixture": (
        "@pytest.mark.v2vlint(target=['kvm', 'azure'])",
        "@pytest.fixture(scope='session')\ndef v2vlint_images():\n    return 'a.qcow2'",
        [],
        ["kvm", "azure"],
    ),
    "an overridden fixture with params": (
        "",
        "@pytest.fixture(scope='session', params=['a.qcow2', 'b.qcow2'])\ndef v2vlint_images(request):\n    return request.param",
        [],
        ["a.qcow2-guest", "b.qcow2-guest"],
    ),
}


@pytest.mark.parametrize("which", WISHES)
def test_one_run_for_every_image_and_target(pytester: pytest.Pytester, which: str) -> None:
    mark, head, options, ids = WISHES[which]
    for name in ("a.qcow2", "b.qcow2"):
        pytester.path.joinpath(name).write_bytes(b"")
    pytester.makepyfile(
        f"import pytest\n{head}\n{mark}\ndef test_one(v2vlint_guest):\n    assert v2vlint_guest.name in ('a.qcow2', 'b.qcow2')\n"
    )
    result = pytester.runpytest_inprocess("-v", "-k", "test_one", *options)
    found = [line.partition("test_one[")[2].partition("]")[0] for line in result.outlines if "PASSED" in line]
    assert found == ids


def test_a_guest_that_the_run_has_built(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import shutil, pytest

        @pytest.fixture(scope="session")
        def built(tmp_path_factory, v2vlint_open):
            path = tmp_path_factory.mktemp("build") / "out.qcow2"
            shutil.copy({str(portable())!r}, path)
            return v2vlint_open(path, target="azure")

        def test_boots(built):
            assert built.forecast().target == "azure"
        """
    )
    assert pytester.runpytest_inprocess().parseoutcomes() == {"passed": 1}


def test_without_a_guest_the_fixture_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(v2vlint_guest): pass")
    result = pytester.runpytest_inprocess()
    assert result.parseoutcomes() == {"errors": 1}
    result.stdout.fnmatch_lines(["*no guest: give --v2vlint IMAGE*"])


def test_a_broken_image_is_neither_a_pass_nor_a_failure_of_the_guest(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"QFI\xfb" + bytes(600))
    pytester.makepyfile(
        """
        import pytest
        from pytest_v2vlint import NotEvaluated, assert_portable

        @pytest.mark.v2vlint(image="disk.qcow2")
        def test_one(v2vlint_guest):
            with pytest.raises(NotEvaluated, match="disk.qcow2"):
                v2vlint_guest.fstab
            with pytest.raises(NotEvaluated, match="disk.qcow2"):
                assert_portable(v2vlint_guest)
        """
    )
    assert pytester.runpytest_inprocess().parseoutcomes() == {"passed": 1}


def test_a_tree_is_a_guest_before_there_is_a_disk(pytester: pytest.Pytester) -> None:
    tree = pytester.path / "rootfs"
    for path, text in (
        ("etc/os-release", "ID=debian\n"),
        ("etc/fstab", "/dev/sdz1 /srv ext4 defaults 0 2\n"),
        ("usr/bin/x", ""),
        ("var/x", ""),
        ("home/x", ""),
    ):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    pytester.makepyfile(
        """
        def test_it(v2vlint_open):
            guest = v2vlint_open("tree:rootfs")
            assert guest.fstab.entry("/srv").spec == "/dev/sdz1"
            (guest_tree := __import__("pathlib").Path("rootfs/etc/fstab")).write_text("LABEL=srv /srv ext4 defaults 0 2\\n")
            assert v2vlint_open("tree:rootfs").fstab.entry("/srv").spec == "LABEL=srv"
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
