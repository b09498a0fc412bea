"""Everything a rule pack may import: the rule base class, places, findings, fixes, the target, and every fact."""

from __future__ import annotations

from v2vlint.facts.boot.bls import BlsEntries, BlsEntry
from v2vlint.facts.boot.bootloader import Bootloader, Unused
from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.cmdline import KernelArg, KernelCmdline, all_args, last_arg
from v2vlint.facts.boot.command_lines import CommandLines
from v2vlint.facts.boot.consoles import Console, Consoles
from v2vlint.facts.boot.device_map import DeviceMap, DriveMapping
from v2vlint.facts.boot.efi import Efi, EfiImage, firmware_arch
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.grub.default import GrubDefaults, GrubSetting, UntoldSetting
from v2vlint.facts.boot.grub.install import GrubInstall
from v2vlint.facts.boot.needs import BootNeeds, NeededMount, volume_of
from v2vlint.facts.boot.path import BootPath, BootPaths, DriveFate, Means, ModuleFate, lacking
from v2vlint.facts.boot.pe import PeImage, PeSection
from v2vlint.facts.boot.secure_boot import SecureBoot
from v2vlint.facts.boot.start import ChosenFirmware, DefaultBoot, Startup
from v2vlint.facts.boot.who import Systems
from v2vlint.facts.conversion.devices import DeviceNames
from v2vlint.facts.conversion.kernel import ConvertedKernel
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.loader import ConvertedLoader
from v2vlint.facts.conversion.menu import ConvertedMenu
from v2vlint.facts.conversion.refusals import MoverRefusal, Refusals
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.environment.accounts import Account, Accounts, Password, UserGroup
from v2vlint.facts.environment.defined_hardware import DefinedHardware
from v2vlint.facts.environment.desktop import Desktop
from v2vlint.facts.environment.gpu_stack import GpuStack, GpuStacks
from v2vlint.facts.environment.guest_tools import GuestTool, GuestTools, agent_called, cloud_agents, vendor_of_host
from v2vlint.facts.environment.identity import Identity
from v2vlint.facts.environment.kernel_display import KernelDisplay
from v2vlint.facts.environment.ntp import RefClock, TimeServer, TimeSources
from v2vlint.facts.environment.selinux import Selinux, SelinuxConfig
from v2vlint.facts.environment.selinux_labels import FileLabel, SelinuxLabels
from v2vlint.facts.environment.servers import Server, Servers
from v2vlint.facts.environment.services import Services
from v2vlint.facts.environment.sshd import Sshd
from v2vlint.facts.environment.sshd_config import SshdConfig, SshdSetting
from v2vlint.facts.environment.sudoers import FreeRoot, Sudoers
from v2vlint.facts.environment.traces import AgentIdentity, Traces
from v2vlint.facts.environment.xorg import Xorg, XorgDevice
from v2vlint.facts.initramfs.config import InitramfsConfig
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.generator import GeneratorConfig
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.initramfs.resume_conf import ResumeConf
from v2vlint.facts.kernel.compile_flags import CompileFlags
from v2vlint.facts.kernel.config import KernelConfig
from v2vlint.facts.kernel.cpu_needs import BinaryNeed, CpuNeeds
from v2vlint.facts.kernel.dkms import Dkms, DkmsModule
from v2vlint.facts.kernel.huge_pages import HugePageReserve, HugePages
from v2vlint.facts.kernel.kernels import Kernel, Kernels, Presence
from v2vlint.facts.kernel.modprobe import Modprobe, ModprobeCommand
from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.kernel.sysctl import Sysctl, SysctlSetting
from v2vlint.facts.network.bound_services import Binding, BoundServices
from v2vlint.facts.network.card_macs import CardMacs
from v2vlint.facts.network.cloud_addresses import cloud_of
from v2vlint.facts.network.cloud_init import CloudInit
from v2vlint.facts.network.dhcp_client import DhcpClients, DhcpOverride
from v2vlint.facts.network.early_network import EarlyCard, EarlyNetwork
from v2vlint.facts.network.firewall import Firewalls, SshGate
from v2vlint.facts.network.hosts import Hosts, HostsEntry
from v2vlint.facts.network.ifcfg import Ifcfg, IfcfgFile
from v2vlint.facts.network.ifupdown import Interfaces
from v2vlint.facts.network.interface import Address, InterfaceConfig, InterfaceEdits, Manager, Method, same_mac
from v2vlint.facts.network.interface_mentions import InterfaceMention, InterfaceMentions
from v2vlint.facts.network.ip_scope import is_link_local, is_local_host, is_loopback_address, is_private_address
from v2vlint.facts.network.landing import Loss, NetworkLanding
from v2vlint.facts.network.managers import NetManagers
from v2vlint.facts.network.match import MatchKey, Survival
from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.names import IfNameKind, ifname_kind, is_glob, is_topology_name, is_vmware_name, parent_name
from v2vlint.facts.network.netplan import Netplan, NetplanDevice
from v2vlint.facts.network.network import NamePin, Network
from v2vlint.facts.network.networkd import NetDev, Networkd
from v2vlint.facts.network.nm_conf import NmConf
from v2vlint.facts.network.nm_keyfile import NmKeyfiles, RefusedProfile
from v2vlint.facts.network.outlook import NetworkOutlook
from v2vlint.facts.network.proxies import Proxies, Proxy
from v2vlint.facts.network.refusal import ManagerRefusal
from v2vlint.facts.network.resolv_conf import ResolvConf
from v2vlint.facts.network.systemd_link import LinkFile, SystemdLinks
from v2vlint.facts.network.udev_net import UdevNet, UdevNetRule
from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.packages.package import Package
from v2vlint.facts.packages.repositories import Repositories, Repository
from v2vlint.facts.packages.wheels import Wheels
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.crypttab import Crypttab, CrypttabEntry
from v2vlint.facts.storage.device_mentions import DeviceMention, DeviceMentions
from v2vlint.facts.storage.devices import Devices, LastingName, NameFate, NameKind, kernel_fate, kernel_prefix, name_kind
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.storage.lvm_conf import LvmConf, LvmFilter
from v2vlint.facts.storage.lvm_devices import LvmDevice, LvmDevices
from v2vlint.facts.storage.mdadm_conf import MdadmConf, MdArray
from v2vlint.facts.storage.mount_points import MountedAt, MountPoints
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.facts.storage.multipath import Multipath
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.facts.storage.sectors import Sectors
from v2vlint.facts.syntax.edit_lines import comment_out, replace_token
from v2vlint.facts.windows.access import RemoteWay, WindowsAccess
from v2vlint.facts.windows.acpi import ButtonBinding, WindowsAcpi, WindowsHal
from v2vlint.facts.windows.agents import CLOUDS as windows_clouds
from v2vlint.facts.windows.agents import WindowsAgents
from v2vlint.facts.windows.answers import StoredPasswords
from v2vlint.facts.windows.bcd import BcdEntry, BcdMenu
from v2vlint.facts.windows.bitlocker import Bitlocker
from v2vlint.facts.windows.boot import WindowsBoot
from v2vlint.facts.windows.drivers import DriverVerdict, WindowsDrivers
from v2vlint.facts.windows.filters import ClassFilter, ClassFilters
from v2vlint.facts.windows.identity import WindowsIdentity
from v2vlint.facts.windows.network import ManualAddress, WindowsAdapter, WindowsNetwork
from v2vlint.facts.windows.programs import WindowsProgram, WindowsPrograms, WindowsTools
from v2vlint.facts.windows.registry import Registry, RegistryNode, RegistryValue, set_value
from v2vlint.facts.windows.services import WindowsService, WindowsServices
from v2vlint.facts.windows.signature import signed_by
from v2vlint.facts.windows.start import WindowsStart
from v2vlint.facts.windows.system import PendingReboot, WindowsSystem
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.arm_level import arm_level
from v2vlint.model.bitlocker import BitlockerVolume
from v2vlint.model.blocks import LDM_TYPES, BlockDevice, BlockTable, kernel_position
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice
from v2vlint.model.errors import FactUnavailable, NotApplicable
from v2vlint.model.finding import Fate, Finding, Mover, Severity, Stage, Unknown
from v2vlint.model.fix import (
    AppendInitramfs,
    Applicability,
    CopyFile,
    Delete,
    Edit,
    Fix,
    Rebuild,
    RegistryDeleteKey,
    RegistrySet,
    ReplaceText,
    WriteData,
    WriteFile,
)
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, RegistryKey, Span, Token, Where, WholeFile
from v2vlint.model.registry import RegistryData, binary, dword, expand_sz, multi_sz, sz
from v2vlint.model.rule import Audience, Content, Example, Hive, Link, Rule
from v2vlint.model.target import Admission, Controller, Display, Nic, Target
from v2vlint.model.verdict import Cause
from v2vlint.samples.boot import (
    sample_boot,
    sample_bzimage,
    sample_chain,
    sample_elf,
    sample_initramfs,
    sample_kernel,
    sample_other_system,
    sample_tools,
)
from v2vlint.samples.definitions import sample_domain, sample_ovf, sample_target, sample_vmx
from v2vlint.samples.hives import sample_unsaved_hive
from v2vlint.samples.pe import sample_driver, sample_pe, sample_unsigned_driver
from v2vlint.verdicts.console import ConsoleVerdict
from v2vlint.verdicts.early_settings import Rejected
from v2vlint.verdicts.entry import EntryVerdict
from v2vlint.verdicts.firmware import FirmwareVerdict
from v2vlint.verdicts.initramfs import InitramfsVerdict, Lacking, missing_modules, tries_again
from v2vlint.verdicts.kernel import ImageFault, KernelVerdict
from v2vlint.verdicts.loader import LoaderVerdict, LonelyShim
from v2vlint.verdicts.lvm_settings import TiedVolumes
from v2vlint.verdicts.mounts import KernelNamed, MountsVerdict
from v2vlint.verdicts.network import LockOut, NetworkVerdict
from v2vlint.verdicts.root import NamedRoot, RootVerdict
from v2vlint.verdicts.unlock import Sealed, UnlockVerdict
from v2vlint.verdicts.userland import UserlandVerdict
from v2vlint.verdicts.windows import (
    Driven,
    WindowsEntryVerdict,
    WindowsKernelVerdict,
    WindowsLoaderVerdict,
    WindowsNetworkVerdict,
    WindowsRootVerdict,
    WindowsUnlockVerdict,
)
