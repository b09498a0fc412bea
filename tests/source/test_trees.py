"""Root filesystems without a disk: a folder, archives of it, and images that podman makes of it, all read as the same guest."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import v2vlint
from tests.programs import running
from tests.source.servers import wait_for
from v2vlint.disk.filesystems.archive import ArchiveFileSystem, EntryNode
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.stream import MemoryStream
from v2vlint.guest.open import GuestContents, open_ref
from v2vlint.model.errors import FactUnavailable, ImageError, UsageError
from v2vlint.samples.boot import sample_boot
from v2vlint.source.expand import expand

FSTAB = "UUID=0a1b2c3d-0000-4000-8000-000000000001 / ext4 defaults 0 1\n/dev/sdb1 /srv ext4 defaults,nofail 0 2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "rootfs"
    files = {
        "/etc/os-release": 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n',
        "/etc/fstab": FSTAB,
        "/etc/hostname": "web1\n",
        "/usr/bin/true": b"\x7fELF",
        **sample_boot(),
    }
    for path, content in files.items():
        place = top / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    for name in ("dev", "proc", "sys", "var"):
        (top / name).mkdir()
    (top / "bin").symlink_to("usr/bin")
    (top / "etc/mtab").symlink_to("/proc/mounts")
    os.mkfifo(top / "run")
    return top


def opened(argument: str) -> GuestContents:
    (ref,) = expand([argument])
    return open_ref(ref)


def content(guest: GuestContents) -> dict[str, object]:
    fs = guest.roots[0].fs
    return {path: fs.read(path) for top in ("/etc", "/boot", "/usr", "/lib") for path in fs.walk(top)}


def pack(root: Path, mode: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        archive.add(root, "./")
    return held.getvalue()


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:xz", "w:bz2", "zstd"])
def test_an_archive_is_what_the_folder_is(root: Path, mode: str) -> None:
    import zstandard

    data = zstandard.compress(pack(root, "w:")) if mode == "zstd" else pack(root, mode)
    (root.parent / "rootfs.tar").write_bytes(data)
    folder, archive = opened(f"tree:{root}"), opened(f"tar:{root.parent}/rootfs.tar")
    assert not folder.problems + archive.problems
    assert content(archive) == content(folder)
    assert archive.roots[0].os == folder.roots[0].os
    assert archive.roots[0].os.hostname == "web1"
    assert archive.roots[0].fs.readlink("/etc/mtab") == "/proc/mounts"


def test_what_needs_disks_is_unknown_and_the_rest_is_judged(root: Path) -> None:
    report = v2vlint.check(f"tree:{root}", target="kvm")
    (image,) = report.images
    (judged,) = image.roots[0].targets
    forecast = judged.forecast
    assert forecast is not None
    assert forecast.will_boot is None
    failed = {result.rule for result in judged.results if result.findings}
    assert "fstab-device-name" in failed
    assert not failed & {"root-missing-device", "fstab-missing-device", "no-boot-code"}


def test_the_public_ways_to_change_or_boot_it_say_what_to_do_instead(root: Path) -> None:
    with pytest.raises(UsageError, match="cannot be fixed") as caught:
        v2vlint.fix(f"tree:{root}")
    assert "what builds it" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be booted"):
        v2vlint.prove(f"tree:{root}")


def test_its_report_says_what_to_do_instead(root: Path) -> None:
    assert "what builds it" in v2vlint.check(f"tree:{root}").images[0].unwritable


def test_a_damaged_or_cut_archive_is_told(root: Path) -> None:
    path = root.parent / "bad.tar"
    for data in (b"", b"no archive" * 100, pack(root, "w:gz")[:600], pack(root, "w:")[:5000]):
        path.write_bytes(data)
        guest = opened(f"tar:{path}")
        assert guest.problems
        assert not guest.roots


Member = tuple[str, bytes, str]


def layer(*members: Member) -> MemoryStream:
    """A tar archive: names, types and contents, or where links lead."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, text in members:
            info = tarfile.TarInfo(name)
            info.type, data = kind, text.encode() if kind == tarfile.REGTYPE else b""
            info.linkname, info.size = "" if data else text, len(data)
            archive.addfile(info, io.BytesIO(data))
    return MemoryStream(held.getvalue())


def paths(fs: ArchiveFileSystem) -> dict[str, str]:
    """Every file and link in it, with its content or target."""
    found: dict[str, str] = {}

    def look(node: EntryNode, at: str) -> None:
        for name in node.names():
            child = node.child(name)
            assert child is not None
            match child.stat().kind:
                case Kind.DIR:
                    look(child, f"{at}/{name}")
                case Kind.FILE:
                    found[f"{at}/{name}"] = child.open().read().decode()
                case Kind.LINK:
                    found[f"{at}/{name}"] = f"-> {child.link()}"
                case _:
                    found[f"{at}/{name}"] = "?"

    look(fs.root, "")
    return found


F, L, H, D, DEVICE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE
LONG = "n" * 200 + "/" + "ü" * 150


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ([("/etc/a", F, "1"), ("./etc//b", F, "2")], {"/etc/a": "1", "/etc/b": "2"}),
        ([("../x", F, "1"), ("a/../../y", F, "2"), ("z", F, "3")], {"/z": "3"}),
        ([("a", F, "1"), ("a", F, "2")], {"/a": "2"}),
        ([("a", F, "1"), ("a/b", F, "2")], {"/a/b": "2"}),
        ([("dev/null", DEVICE, ""), ("p", tarfile.FIFOTYPE, "")], {"/dev/null": "?", "/p": "?"}),
        ([("a", F, "1"), ("b", H, "a"), ("c", H, "gone"), ("e", H, "../../a")], {"/a": "1", "/b": "1", "/c": "?", "/e": "1"}),
        ([("d/f", F, "1"), ("d/up", H, "d"), ("top", H, "/")], {"/d/f": "1", "/d/up": "?", "/top": "?"}),
        ([(LONG, F, "1")], {f"/{LONG}": "1"}),
        # As every program unpacks it: behind a link lies what it leads to, unless a folder itself takes its place.
        ([("usr/lib", D, ""), ("lib", L, "usr/lib"), ("lib/x", F, "1")], {"/lib": "-> usr/lib", "/usr/lib/x": "1"}),
        ([("lib", L, "/usr/lib"), ("usr/lib", L, "../opt/./lib"), ("opt/lib/a", F, "1"), ("lib/x", F, "2"), ("h", H, "lib/a")],
         {"/lib": "-> /usr/lib", "/usr/lib": "-> ../opt/./lib", "/opt/lib/a": "1", "/opt/lib/x": "2", "/h": "1"}),
        ([("usr/lib", D, ""), ("lib", L, "usr/lib"), ("lib", D, ""), ("lib/x", F, "1")], {"/lib/x": "1"}),
        ([("out", L, "../../../etc"), ("etc/a", F, "1"), ("out/b", F, "2")], {"/out": "-> ../../../etc", "/etc/a": "1", "/etc/b": "2"}),
        ([("a", L, "b"), ("b", L, "a"), ("a/x", F, "1")], {"/a/x": "1", "/b": "-> a"}),
        ([("a", L, "gone"), ("a/x", F, "1")], {"/a/x": "1"}),
    ],
)  # fmt: skip
def test_odd_members_of_an_archive(members: list[Member], wanted: dict[str, str]) -> None:
    fs = ArchiveFileSystem()
    fs.add("t", layer(*members))
    assert paths(fs) == wanted


LOWER = [("d/a", F, "1"), ("d/s/b", F, "2"), ("e", F, "3"), ("lib", L, "usr/lib"), ("usr/lib/m", F, "4")]
REST = {"/e": "3", "/lib": "-> usr/lib", "/usr/lib/m": "4"}


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ([("d/.wh.a", F, "")], {"/d/s/b": "2", **REST}),
        ([("d/.wh.gone", F, "")], {"/d/a": "1", "/d/s/b": "2", **REST}),
        ([(".wh.d", F, "")], REST),
        ([("d/.wh..wh..opq", F, ""), ("d/s/c", F, "5")], {"/d/s/c": "5", **REST}),
        # Whiteouts hide lower layers only, wherever they are in their own.
        ([("d", D, ""), ("d/s", D, ""), ("d/s/c", F, "5"), ("d/.wh..wh..opq", F, "")], {"/d/s/c": "5", **REST}),
        ([("d/s", D, ""), ("d/s/c", F, "5"), ("d/.wh.s", F, "")], {"/d/a": "1", "/d/s/c": "5", **REST}),
        ([("e", F, "6"), (".wh.e", F, "")], {"/d/a": "1", "/d/s/b": "2", **REST, "/e": "6"}),
        ([("f", H, "e"), (".wh.e", F, "")], {"/d/a": "1", "/d/s/b": "2", "/lib": "-> usr/lib", "/usr/lib/m": "4", "/f": "3"}),
        ([("lib/n", F, "7"), ("lib/.wh.m", F, "")], {"/d/a": "1", "/d/s/b": "2", "/e": "3", "/lib": "-> usr/lib", "/usr/lib/n": "7"}),
    ],
)  # fmt: skip
def test_whiteouts_of_layers(members: list[Member], wanted: dict[str, str]) -> None:
    fs = ArchiveFileSystem(layers=True)
    fs.add("lower", layer(*LOWER))
    fs.add("upper", layer(*members))
    assert paths(fs) == wanted


def test_a_sparse_member_is_read_and_a_negative_size_told(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as stream:
        stream.truncate(1 << 20)
        stream.seek(600_000)
        stream.write(b"data")
    for kind in ("--format=gnu", "--format=posix"):
        subprocess.run(("tar", "-C", tmp_path, kind, "--sparse", "-cf", tmp_path / "t.tar", "holes"), check=True)
        for data in (packed := (tmp_path / "t.tar").read_bytes(), gzip.compress(packed)):
            fs = ArchiveFileSystem()
            fs.add("t", MemoryStream(data))
            child = fs.root.child("holes")
            assert child is not None
            assert child.open().read() == (tmp_path / "holes").read_bytes()
    bad = bytearray(layer(("a", F, "x")).read_at(0, 512))
    bad[124:136] = b"\xff" * 10 + b"\xfc\x00"
    bad[148:156] = b"%06o\0 " % (sum(bad[:148]) + 8 * 32 + sum(bad[156:]))
    with pytest.raises(ImageError, match="negative size"):
        ArchiveFileSystem().add("t", MemoryStream(bytes(bad) * 2))


def test_what_is_too_large_in_a_packed_archive_is_unknown_not_absent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v2vlint.disk.filesystems.archive.MAX_KEPT_FILE", 10)
    (root.parent / "r.tgz").write_bytes(pack(root, "w:gz"))
    with pytest.raises(FactUnavailable, match="unpack it first"):
        opened(f"tar:{root.parent}/r.tgz").roots[0].fs.read("/etc/fstab")


@pytest.mark.parametrize("argument", ["tree:/nowhere", "tar:/nowhere", "tree:/etc/fstab", "oci:/nowhere", "tree:"])
def test_what_is_not_there_is_the_guests_problem(argument: str) -> None:
    (ref,) = expand([argument])
    assert ref.problem


podman = pytest.mark.skipif(shutil.which("podman") is None or os.geteuid() != 0, reason="needs podman and root")


def run(storage: Path, *command: str) -> str:
    # podman wants a short name for what it writes while it runs.
    running = Path("/tmp") / f"v2vlint-{os.getpid()}"
    place = ("--root", str(storage / "root"), "--runroot", str(running), "--storage-driver", "vfs")
    done = subprocess.run(("podman", *place, *command), check=False, capture_output=True, text=True, timeout=120)
    shutil.rmtree(running, ignore_errors=True)
    assert not done.returncode, done.stderr
    return done.stdout


@podman
def test_what_podman_saves_is_the_tree_with_its_last_layer(root: Path, tmp_path: Path) -> None:
    (root / "run").unlink()
    (tmp_path / "rootfs.tar").write_bytes(pack(root, "w:"))
    (tmp_path / "Containerfile").write_text("FROM base\nCOPY fstab /etc/fstab\n")
    (tmp_path / "fstab").write_text("# empty\n")
    run(tmp_path, "import", str(tmp_path / "rootfs.tar"), "base")
    run(tmp_path, "build", "--isolation", "chroot", "-t", "v2vlint/web:1", str(tmp_path))
    for kind, name in (("oci-archive", "oci.tar"), ("docker-archive", "docker.tar"), ("oci-dir", "layout")):
        run(tmp_path, "save", "--format", kind, "-o", str(tmp_path / name), "v2vlint/web:1")
        guest = opened(f"oci:{tmp_path / name}")
        assert not guest.problems, kind
        found, wanted = content(guest), content(opened(f"tree:{root}"))
        assert found.pop("/etc/fstab") == b"# empty\n"
        del wanted["/etc/fstab"]
        assert found == wanted
    assert opened(f"docker-archive:{tmp_path}/docker.tar:1").roots
    assert "no image other" in opened(f"oci:{tmp_path}/docker.tar:other").problems[0].reason


@pytest.mark.skipif(os.geteuid() != 0, reason="the user of the pod is root")
def test_a_pod_is_packed_by_the_tar_in_it(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in of kubectl that runs the command here, in the folder of the tree."""
    (root / "run").unlink()
    (root / "-odd name").write_text("x")
    kubectl = tmp_path / "bin/kubectl"
    kubectl.parent.mkdir()
    lines = [
        "#!/bin/sh",
        f'echo "$@" >> {tmp_path}/asked',
        """case " $* " in *" gone "*) echo 'Error from server (NotFound): pods "gone" not found' >&2; exit 1;; esac""",
        'while [ "$1" != -- ]; do shift; done',
        f"""exec sh -c "$(printf %s "$4" | sed 's,^cd / ,cd {root} ,')\"""",
    ]
    kubectl.write_text("\n".join(lines))
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:{os.environ['PATH']}")
    guest = opened("kubectl://shop/web-0/app")
    assert not guest.problems
    assert content(guest) == content(opened(f"tree:{root}"))
    assert guest.roots[0].fs.read("/-odd name") == b"x"
    assert (tmp_path / "asked").read_text().startswith("exec -n shop web-0 -c app -- sh -c")
    assert "not found" in opened("kubectl://gone").problems[0].reason
    for argument in ("kubectl://a/b/c/d", "kubectl://--help", "kubectl://"):
        assert "not the name of a pod" in opened(argument).problems[0].reason


@podman
def test_a_container_is_the_files_that_its_engine_exports(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Path("/tmp") / f"v2vlint-{os.getpid()}-c"
    conf = f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/root"\nrunroot = "{running}"\n'
    (tmp_path / "storage.conf").write_text(conf)
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    (root / "run").unlink(missing_ok=True)
    (tmp_path / "rootfs.tar").write_bytes(pack(root, "w:"))
    for command in (("import", str(tmp_path / "rootfs.tar"), "base"), ("create", "--name", "web", "--network", "none", "base", "/bin/sh")):
        done = subprocess.run(("podman", *command), check=False, capture_output=True, text=True, timeout=120)
        assert not done.returncode, done.stderr
    guest = opened("podman://web")
    assert not guest.problems
    assert content(guest)["/etc/fstab"] == content(opened(f"tree:{root}"))["/etc/fstab"]
    assert "gone" in opened("podman://gone").problems[0].reason
    assert "not a name of a container" in opened("podman://--help").problems[0].reason
    with pytest.raises(UsageError, match="cannot be fixed"):
        v2vlint.fix("podman://web")
    if shutil.which("docker"):
        is_read_by_docker(tmp_path, guest, monkeypatch)
    shutil.rmtree(running, ignore_errors=True)


def is_read_by_docker(tmp_path: Path, wanted: GuestContents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's client asks podman, which speaks its language."""
    address = f"unix://{tmp_path}/docker.sock"
    with running(("podman", "system", "service", "--time=60", address), stderr=subprocess.DEVNULL):
        wait_for(tmp_path / "docker.sock")
        monkeypatch.setenv("DOCKER_HOST", address)
        assert content(opened("docker://web")) == content(wanted)
        assert "no such container" in opened("docker://gone").problems[0].reason.lower()


@pytest.mark.parametrize("packed", [False, True])
def test_a_container_disk_is_the_disk_in_it(tmp_path: Path, packed: bool) -> None:
    disk = bytes(1 << 20)
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz" if packed else "w") as archive:
        for name, data in (("disk/", None), ("disk/vm.img", disk)):
            info = tarfile.TarInfo(name)
            info.type, info.size = (tarfile.DIRTYPE, 0) if data is None else (tarfile.REGTYPE, len(data))
            archive.addfile(info, io.BytesIO(data or b""))
    blobs = tmp_path / "blobs/sha256"
    blobs.mkdir(parents=True)
    (blobs / ("1" * 64)).write_bytes(held.getvalue())
    manifest = json.dumps({"layers": [{"digest": "sha256:" + "1" * 64}]}).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    (blobs / digest).write_bytes(manifest)
    other = {"digest": "sha256:" + "3" * 64, "platform": {"os": "linux", "architecture": "s390x"}}
    ours = {"digest": f"sha256:{digest}", "platform": {"os": "linux", "architecture": "amd64"}}
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [other, ours]}))
    guest = opened(f"oci:{tmp_path}")
    assert guest.size == len(disk)
    assert guest.format == "raw"
    assert [problem.reason for problem in guest.problems] == ["blank: no partition table and no filesystem"]


@pytest.mark.parametrize(
    "index",
    [
        '{"manifests": [{"annotations": [1]}]}',
        "[]",
        "{",
        '{"manifests": [{"digest": "sha256:../../etc"}]}',
        '{"manifests": 3}',
        '{"layers": [{}]}',
    ],
)
def test_a_damaged_layout_is_told(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)
    assert opened(f"oci:{tmp_path}").problems
