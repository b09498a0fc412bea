"""Rule huge-pages-exceed-memory."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, HugePages, Rule, Severity, Target, sample_boot

_CONF = "/etc/sysctl.d/50-db.conf"


class HugePagesExceedMemory(Rule):
    """More memory is reserved for huge pages than the target is assumed to have.

    ## What it does
    Adds up `vm.nr_hugepages` of sysctl and `hugepages=` of the default entry's command line, times their page sizes, and compares with the
    memory of the target profile.

    ## Why it matters
    Huge pages are taken from everything else. On a smaller machine boot ends in out-of-memory kills or `System is deadlocked on memory`.
    The profile's memory is an assumption: state the real amount in a profile of your own.

    ## References
    - Microsoft, "Linux VM does not boot: incorrect HugePages configuration"; `Documentation/admin-guide/mm/hugetlbpage.rst`
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"System is deadlocked on memory", r"Out of memory: Kill")
    examples = (
        Example({_CONF: "# Oracle\nvm.nr_hugepages = 8192\n"}, flags=(f"{_CONF}:2",), severity=Severity.WARNING),
        Example(sample_boot(args="root=UUID=1 hugepagesz=1G hugepages=4"), flags=("/boot/grub/grub.cfg:2",)),
        Example({_CONF: "#vm.nr_hugepages = 8192\nvm.nr_hugepages = 128\n"}),
        Example({f"{_CONF}.bak": "vm.nr_hugepages = 8192\n"}),
    )

    def check(self, pages: HugePages, target: Target) -> Iterator[Finding]:
        if pages.reserves and pages.mib * 10 >= target.ram_mib * 9:
            largest = max(pages.reserves, key=lambda reserve: reserve.mib)
            message = f"{pages.mib} MiB are reserved for huge pages, and the target is assumed to have {target.ram_mib} MiB of memory"
            related = tuple(reserve.where for reserve in pages.reserves if reserve is not largest)
            yield self.finding(largest.where, message, "nothing is left for the rest: boot ends in out-of-memory kills", related=related)
