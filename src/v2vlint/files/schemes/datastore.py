"""``datastore://vcenter/DATACENTER/DATASTORE/path``: files of a vSphere datastore, over HTTPS with the session that found the machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from v2vlint.files.scheme import Ranges, Scheme
from v2vlint.files.schemes.http import HttpFile
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError


@dataclass(frozen=True, slots=True)
class Session:
    """A login at a vCenter or ESXi host: its cookie, and how the server's certificate is verified."""

    cookie: str
    context: Any
    fingerprint: str = ""


_sessions: dict[str, Session] = {}


def register(server: str, session: Session) -> None:
    """Store a login, for the files on the datastores of ``server`` (``host:port``)."""
    _sessions[server] = session


def url_of(server: str, center: str, store: str, path: str) -> str:
    """The URL of a file in a datastore. The datacenter is a path of folders."""
    return f"datastore://{server}/{quote(center, safe='')}/{quote(store, safe='')}/{quote(path)}"


def _open(url: str) -> Ranges:
    import urllib3

    parts = urlsplit(url)
    session = _sessions.get(parts.netloc)
    if session is None:
        raise ImageError(f"{url}: nobody is logged in at {parts.netloc}", hint="name the machine: vsphere://user@host/DATACENTER/vm/NAME")
    center, store, path = parts.path.removeprefix("/").split("/", 2)
    # How vSphere serves the files of a datastore: /folder/PATH?dcPath=DATACENTER&dsName=DATASTORE.
    query = urlencode({"dcPath": unquote(center), "dsName": unquote(store)})
    pool = urllib3.PoolManager(ssl_context=session.context, assert_fingerprint=session.fingerprint or None)
    name = f"[{unquote(store)}] {unquote(path)}"
    return HttpFile(f"https://{parts.netloc}/folder/{path}?{query}", name, {"Cookie": session.cookie}, pool)


SCHEMES = (Scheme(("datastore",), "vsphere", "urllib3", _open),)
