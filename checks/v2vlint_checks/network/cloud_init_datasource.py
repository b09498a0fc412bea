"""Rule cloud-init-datasource."""

from collections.abc import Iterator

from v2vlint.api import CloudInit, Example, Finding, NotApplicable, Rule, Severity, Target


class CloudInitDatasource(Rule):
    """cloud-init looks for its data only where the guest came from.

    ## What it does
    Reads `datasource_list` (cloud.cfg, cloud.cfg.d) and ds-identify.cfg, and finds lists that hold none of the target's data sources
    (`datasources` of its profile). NoCloud and ConfigDrive need an attached disk or firmware strings, which no public cloud provides.

    ## Why it matters
    With a single source listed, cloud-init does not look elsewhere: it waits minutes for a metadata service that does not exist, and
    nothing the new platform provides (address, keys, host name) is applied.

    ## References
    - cloud-init's ds-identify; GCE's import removes `90_dpkg.cfg` and Azure's files; Microsoft's *linux-hyperv-issue*
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"No active metadata service found", r"url_helper.*169\.254\.169\.254.*(timed out|refused)")
    examples = (
        Example({"/etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [ Azure ]\n"}, flags=("/etc/cloud/cloud.cfg.d/90_dpkg.cfg:1",)),
        Example(
            {
                "/etc/cloud/cloud.cfg": "datasource_list: [ NoCloud ]\n",
                "/etc/cloud/cloud.cfg.d/99-vmware.cfg": "# written by hand\ndatasource_list:\n  - VMware\n  - OVF\n",
            },
            target="ec2-nitro",
            flags=("/etc/cloud/cloud.cfg.d/99-vmware.cfg:3",),
            title="the later file wins",
        ),
        Example({"/etc/cloud/ds-identify.cfg": "datasource: Ec2\n"}, target="azure", flags=("/etc/cloud/ds-identify.cfg:1",)),
        Example({"/etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [ NoCloud, ConfigDrive, OpenNebula, Azure, Ec2, None ]\n"}),
        Example(
            {"/etc/cloud/cloud.cfg.d/99-pve.cfg": "datasource_list: [ NoCloud, ConfigDrive ]\n"},
            target="azure",
            flags=("/etc/cloud/cloud.cfg.d/99-pve.cfg:1",),
            title="a template of Proxmox VE",
        ),
        Example({"/etc/cloud/cloud.cfg.d/99-pve.cfg": "datasource_list: [ NoCloud, ConfigDrive ]\n"}, target="proxmox"),
        Example(
            {
                "/etc/cloud/cloud.cfg.d/99.cfg": "datasource_list: [ NoCloud ]\n",
                "/var/lib/cloud/seed/nocloud-net/meta-data": "instance-id: x\n",
            },
            target="azure",
            title="the seed is in the guest and goes with it",
        ),
        Example({"/etc/cloud/cloud.cfg.d/90-azure.cfg": "datasource_list: [ Azure ]\n"}, target="azure"),
        Example({"/etc/cloud/cloud.cfg.d/90.cfg": "datasource_list: [ Ec2 ]\n", "/sbin/init": ""}, title="cloud-init is not installed"),
        Example({"/etc/cloud/cloud.cfg.d/90.cfg": "#datasource_list: [ Ec2 ]\ndatasource_list: [ None ]\n"}),
    )

    def check(self, cloud_init: CloudInit, target: Target) -> Iterator[Finding]:
        if cloud_init.runs is False or not cloud_init.datasources or cloud_init.datasources_at is None:
            raise NotApplicable("cloud-init is not restricted to certain data sources")
        listed = [token.value for token in cloud_init.datasources]
        lower = {name.lower() for name in listed} - {"none"}
        if not lower or lower & set(target.datasources) or ("nocloud" in lower and cloud_init.seed is not None):
            return
        names = ", ".join(listed[:6])
        effect = f"it waits for them in vain at boot, and nothing that {target.name} provides is applied"
        yield self.finding(cloud_init.datasources_at, f"cloud-init looks for its data only in {names}", effect)
