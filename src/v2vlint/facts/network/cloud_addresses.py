"""Addresses that answer only inside one cloud and are the same for all its customers."""

from __future__ import annotations

# learn.microsoft.com "What is IP address 168.63.129.16?"; docs.aws.amazon.com "Amazon DNS server", "Set the time reference";
# cloud.google.com "Metadata server"; docs.oracle.com "Network Time Protocol", "iSCSI boot volumes"; Alibaba and Tencent likewise.
_ADDRESSES = {
    "168.63.129.16": "Azure", "169.254.169.253": "Amazon EC2", "fd00:ec2::253": "Amazon EC2", "fd00:ec2::254": "Amazon EC2",
    "169.254.169.254": "a cloud's metadata service", "metadata.google.internal": "Google Compute Engine", "169.254.0.2": "Oracle Cloud",
    "100.100.2.136": "Alibaba Cloud", "100.100.2.138": "Alibaba Cloud", "183.60.83.19": "Tencent Cloud", "183.60.82.98": "Tencent Cloud",
}  # fmt: skip


def cloud_of(address: str) -> str:
    """The owner of an address, as text; empty for any other address."""
    return _ADDRESSES.get(address.lower().strip("[]").rstrip("."), "")
