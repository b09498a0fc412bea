"""The certificate authority that the user trusts, for all libraries that speak TLS."""

from __future__ import annotations

import os

from v2vlint.model.errors import UsageError

_VARIABLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE")
"""OpenSSL's own, which Python, urllib3, aiohttp and pyVmomi follow, and botocore's."""


def authority(place: str) -> None:
    """Trust the certificates in the PEM file ``place`` from now on, in this process. UsageError when it contains none."""
    import ssl

    try:
        ssl.create_default_context(cafile=place)
    except (OSError, ssl.SSLError) as error:
        words = "no certificate in PEM form" if isinstance(error, ssl.SSLError) else (error.strerror or "cannot be read").lower()
        raise UsageError(f"--ca-file {place}: {words}") from error
    os.environ.update(dict.fromkeys(_VARIABLES, os.path.abspath(place)))  # noqa: PTH100
