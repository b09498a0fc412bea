"""Rule private-proxy."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Proxies, Rule, Severity, Target, is_local_host


class PrivateProxy(Rule):
    """Web access goes through a proxy of a private network.

    ## What it does
    Finds proxy settings of apt, yum, dnf, the shell and SUSE's sysconfig whose host has a private address or a local name.

    ## Why it matters
    In another network nothing answers there: updates, agents and first-boot scripts fail even though the network is up.

    ## References
    - apt.conf(5), dnf.conf(5), pam_env(8)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/apt/apt.conf.d/95proxy": 'Acquire::http::Proxy "http://10.0.0.8:3128";\n'}, flags=("/etc/apt/apt.conf.d/95proxy:1",)
        ),
        Example(
            {
                "/etc/environment": "PATH=/usr/bin\nhttps_proxy=http://user:pw@proxy.corp.lan:8080\n",
                "/etc/yum.conf": "[main]\nproxy=http://squid:3128\n",
            },
            flags=("/etc/environment:2", "/etc/yum.conf:2"),
        ),
        Example(
            {"/etc/environment": "#http_proxy=http://10.0.0.8:3128\n", "/etc/apt/apt.conf.d/01proxy": '// Proxy "http://10.0.0.1:1";\n'}
        ),
        Example({"/etc/dnf/dnf.conf": "[main]\nproxy=http://proxy.example.org:3128\n"}),
        Example({"/etc/environment": "http_proxy=http://127.0.0.1:3128\n"}),
    )

    def check(self, proxies: Proxies, target: Target) -> Iterator[Finding]:
        if target.keeps_network or not proxies.settings:
            raise NotApplicable("the target keeps the network, or no proxy is set")
        for proxy in proxies.settings:
            if is_local_host(proxy.host):
                yield self.finding(
                    proxy.where, f"web access goes through the private proxy {proxy.host}", "in another network nothing answers there"
                )
