"""VMware's own simulator of a vCenter (govmomi), with a datastore that serves files."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from guestbuild.debian import cache_dir
from tests.programs import running

GOVMOMI = Path("/usr/share/gocode/src/github.com/vmware/govmomi/simulator")
MAIN = Path(__file__).parent / "vcsim/main.go"
govmomi = pytest.mark.skipif(shutil.which("go") is None or not GOVMOMI.is_dir(), reason="govmomi is not installed")


@dataclass
class Center:
    """A simulated vCenter: ``url`` up to the path, with the thumbprint as ``query``; the folder of its datastore."""

    server: str
    query: str
    store: Path

    def url(self, path: str) -> str:
        """Machines by inventory path."""
        return f"vsphere://user@{self.server}/{path}?{self.query}"


def built() -> Path:
    """The program of 25 MB: building it takes half a minute of processor time once."""
    program = cache_dir() / f"vcsim-{sha256(MAIN.read_bytes()).hexdigest()[:12]}"
    if not program.exists():
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOCACHE": str(cache_dir() / "go")}
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(("go", "build", "-o", str(program), str(MAIN)), check=True, env=environment)
    return program


@contextlib.contextmanager
def simulated(count: int = 2) -> Iterator[Center]:
    """A vCenter whose host and cluster have ``count`` running machines each: ``DC0_H0_VM0``…, ``DC0_C0_RP0_VM0``…"""
    with running((built(), count), stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout
        url, store = simulator.stdout.readline().split()
        server = urlsplit(url).netloc.rpartition("@")[2]
        host, port = server.split(":")
        certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
        yield Center(server, f"thumbprint={sha256(certificate).hexdigest()}", Path(store))


def power_off(center: Center, *names: str) -> None:
    """Shut machines down."""
    from pyVim.connect import Disconnect, SmartConnect
    from pyVim.task import WaitForTask

    host, port = center.server.split(":")
    service: Any = SmartConnect(host=host, port=int(port), user="user", pwd="pass", disableSslCertValidation=True)
    for name in names:
        WaitForTask(service.RetrieveContent().searchIndex.FindByInventoryPath(f"DC0/vm/{name}").PowerOffVM_Task())
    Disconnect(service)
    service._stub.DropConnections()


def flat(image: Path, target: Path) -> None:
    """An image as a datastore has it: a descriptor and its extent."""
    command = ("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", str(image), str(target))
    subprocess.run(command, check=True)
