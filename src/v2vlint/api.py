"""All that a rule pack may import: the rule base class, places, findings, fixes, the target, and every fact."""

from __future__ import annotations

from v2vlint.facts.bitlocker import Bitlocker
from v2vlint.facts.bls import BlsEntries, BlsEntry
from v2vlint.facts.boot_choices import BootChoice, BootChoices
from v2vlint.facts.boot_entry import BootEntry, BootMenu
from v2vlint.facts.boot_needs import BootNeeds, NeededMount, volume_of
from v2vlint.facts.boot_path import BootPath, BootPaths, DriveFate, Means, ModuleFate, lacking
from v2vlint.facts.bootloader import Bootloader, Unused
from v2vlint.facts.card_macs import CardMacs
from v2vlint.facts.cloud_init import CloudInit
from v2vlint.facts.cmdline import KernelArg, KernelCmdline, all_args, last_arg
from v2vlint.facts.command_lines import CommandLines
from v2vlint.facts.compile_flags import CompileFlags
from v2vlint.facts.consoles import Console, Consoles
from v2vlint.facts.cpu_needs import BinaryNeed, CpuNeeds
from v2vlint.facts.crypttab import Crypttab, CrypttabEntry
from v2vlint.facts.defined_hardware import DefinedHardware
from v2vlint.facts.device_map import DeviceMap, DriveMapping
from v2vlint.facts.device_mentions import DeviceMention, DeviceMentions
from v2vlint.facts.devices import Devices, Fate, LastingName, NameKind, kernel_fate, kernel_prefix, name_kind
from v2vlint.facts.dkms import Dkms, DkmsModule
from v2vlint.facts.edit_lines import comment_out, replace_token
from v2vlint.facts.efi import Efi, EfiImage
from v2vlint.facts.firmware import Firmware
from v2vlint.facts.fstab import Fstab, FstabEntry
from v2vlint.facts.generator import GeneratorConfig
from v2vlint.facts.gpu_stack import GpuStack, GpuStacks
from v2vlint.facts.grub_default import GrubDefaults, GrubSetting
from v2vlint.facts.grub_install import GrubInstall
from v2vlint.facts.guest_tools import GuestTool, GuestTools
from v2vlint.facts.hosts import Hosts, HostsEntry
from v2vlint.facts.huge_pages import HugePageReserve, HugePages
from v2vlint.facts.identity import Identity
from v2vlint.facts.ifcfg import Ifcfg, IfcfgFile
from v2vlint.facts.initramfs import Initramfs
from v2vlint.facts.initramfs_config import InitramfsConfig
from v2vlint.facts.initramfses import Initramfses
from v2vlint.facts.interface import Address, InterfaceConfig, InterfaceEdits, Manager, Method
from v2vlint.facts.interface_mentions import InterfaceMention, InterfaceMentions
from v2vlint.facts.interfaces import Interfaces
from v2vlint.facts.ip_scope import is_link_local, is_local_host, is_loopback_address, is_private_address
from v2vlint.facts.kernel_config import KernelConfig
from v2vlint.facts.kernels import Kernel, Kernels, Presence
from v2vlint.facts.lvm_conf import LvmConf, LvmFilter
from v2vlint.facts.lvm_devices import LvmDevice, LvmDevices
from v2vlint.facts.mdadm_conf import MdadmConf, MdArray
from v2vlint.facts.modprobe import Modprobe, ModprobeCommand
from v2vlint.facts.module_names import normal
from v2vlint.facts.mount_policy import MountPolicy
from v2vlint.facts.multipath import Multipath
from v2vlint.facts.name_policy import NamePolicy
from v2vlint.facts.net_managers import NetManagers
from v2vlint.facts.net_names import IfNameKind, ifname_kind, is_glob, is_topology_name, is_vmware_name, parent_name
from v2vlint.facts.netplan import Netplan, NetplanDevice
from v2vlint.facts.network import NamePin, Network, NetworkOutlook, Survival
from v2vlint.facts.networkd import NetDev, Networkd
from v2vlint.facts.nm_conf import NmConf
from v2vlint.facts.nm_keyfile import NmKeyfiles
from v2vlint.facts.ntp import RefClock, TimeServer, TimeSources
from v2vlint.facts.package import Package
from v2vlint.facts.packages import Packages
from v2vlint.facts.pe import PeImage, PeSection
from v2vlint.facts.proxies import Proxies, Proxy
from v2vlint.facts.registry import provides
from v2vlint.facts.repositories import Repositories, Repository
from v2vlint.facts.resolv_conf import ResolvConf
from v2vlint.facts.resume_conf import ResumeConf
from v2vlint.facts.root_stack import RootStack
from v2vlint.facts.sample_definitions import sample_domain, sample_ovf, sample_vmx
from v2vlint.facts.samples import sample_boot, sample_bzimage, sample_elf, sample_initramfs, sample_kernel
from v2vlint.facts.services import Services
from v2vlint.facts.systemd_link import LinkFile, SystemdLinks
from v2vlint.facts.udev_net import UdevNet, UdevNetRule
from v2vlint.facts.virt_v2v import virt_v2v_converts, virt_v2v_rebuilds
from v2vlint.facts.windows_acpi import ButtonBinding, WindowsAcpi, WindowsHal
from v2vlint.facts.windows_boot import BcdEntry, WindowsBoot
from v2vlint.facts.windows_drivers import DriverVerdict, WindowsDrivers
from v2vlint.facts.windows_filters import ClassFilter, ClassFilters
from v2vlint.facts.windows_network import StaticAddress, WindowsAdapter, WindowsNetwork
from v2vlint.facts.windows_programs import WindowsProgram, WindowsPrograms, WindowsTools
from v2vlint.facts.windows_registry import Registry, RegistryNode, RegistryValue, set_value
from v2vlint.facts.windows_samples import sample_unsaved_hive
from v2vlint.facts.windows_services import WindowsService, WindowsServices
from v2vlint.facts.windows_system import PendingReboot, WindowsSystem
from v2vlint.facts.xorg import Xorg, XorgDevice
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.bitlocker import BitlockerVolume
from v2vlint.model.blocks import LDM_TYPES, BlockDevice, BlockTable, kernel_position
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice
from v2vlint.model.errors import FactUnavailable, NotApplicable
from v2vlint.model.finding import Finding, Mover, Severity, Stage, Unknown
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
from v2vlint.model.place import Device, RegistryKey, Sourced, Span, Token, Where, WholeFile
from v2vlint.model.registry import RegistryData, binary, dword, expand_sz, multi_sz, sz
from v2vlint.model.rule import Audience, Content, Example, Hive, Link, Rule
from v2vlint.model.target import Controller, Display, Nic, Target

__all__ = [
    "LDM_TYPES",
    "Address",
    "AppendInitramfs",
    "Applicability",
    "Audience",
    "BcdEntry",
    "BinaryNeed",
    "Bitlocker",
    "BitlockerVolume",
    "BlockDevice",
    "BlockTable",
    "BlsEntries",
    "BlsEntry",
    "BootChoice",
    "BootChoices",
    "BootEntry",
    "BootMenu",
    "BootNeeds",
    "BootPath",
    "BootPaths",
    "Bootloader",
    "ButtonBinding",
    "CardMacs",
    "CardNames",
    "ClassFilter",
    "ClassFilters",
    "CloudInit",
    "CommandLines",
    "CompileFlags",
    "Console",
    "Consoles",
    "Content",
    "Controller",
    "CopyFile",
    "CpuNeeds",
    "Crypttab",
    "CrypttabEntry",
    "DefinedHardware",
    "Definition",
    "Delete",
    "Device",
    "DeviceMap",
    "DeviceMention",
    "DeviceMentions",
    "Devices",
    "DiskDevice",
    "Display",
    "Dkms",
    "DkmsModule",
    "DriveFate",
    "DriveMapping",
    "DriverVerdict",
    "Edit",
    "Efi",
    "EfiImage",
    "Example",
    "FactUnavailable",
    "Fate",
    "Feature",
    "Finding",
    "Firmware",
    "Fix",
    "Fstab",
    "FstabEntry",
    "GeneratorConfig",
    "GpuStack",
    "GpuStacks",
    "GrubDefaults",
    "GrubInstall",
    "GrubSetting",
    "GuestFS",
    "GuestText",
    "GuestTool",
    "GuestTools",
    "Hive",
    "Hosts",
    "HostsEntry",
    "HugePageReserve",
    "HugePages",
    "Identity",
    "IfNameKind",
    "Ifcfg",
    "IfcfgFile",
    "Initramfs",
    "InitramfsConfig",
    "Initramfses",
    "InterfaceConfig",
    "InterfaceEdits",
    "InterfaceMention",
    "InterfaceMentions",
    "Interfaces",
    "Kernel",
    "KernelArg",
    "KernelCmdline",
    "KernelConfig",
    "Kernels",
    "LastingName",
    "Line",
    "Link",
    "LinkFile",
    "LvmConf",
    "LvmDevice",
    "LvmDevices",
    "LvmFilter",
    "Manager",
    "MdArray",
    "MdadmConf",
    "Means",
    "Medium",
    "Method",
    "Modprobe",
    "ModprobeCommand",
    "ModuleFate",
    "MountPolicy",
    "Mover",
    "Multipath",
    "NameKind",
    "NamePin",
    "NamePolicy",
    "NeededMount",
    "NetDev",
    "NetManagers",
    "Netplan",
    "NetplanDevice",
    "Network",
    "NetworkOutlook",
    "Networkd",
    "Nic",
    "NicDevice",
    "NmConf",
    "NmKeyfiles",
    "NotApplicable",
    "OsInfo",
    "Package",
    "Packages",
    "PeImage",
    "PeSection",
    "PendingReboot",
    "Presence",
    "Proxies",
    "Proxy",
    "Rebuild",
    "RefClock",
    "Registry",
    "RegistryData",
    "RegistryDeleteKey",
    "RegistryKey",
    "RegistryNode",
    "RegistrySet",
    "RegistryValue",
    "ReplaceText",
    "Repositories",
    "Repository",
    "ResolvConf",
    "ResumeConf",
    "RootStack",
    "Rule",
    "Services",
    "Severity",
    "Sourced",
    "Span",
    "Stage",
    "StaticAddress",
    "Survival",
    "SystemdLinks",
    "Target",
    "TimeServer",
    "TimeSources",
    "Token",
    "UdevNet",
    "UdevNetRule",
    "Unknown",
    "Unused",
    "Where",
    "WholeFile",
    "WindowsAcpi",
    "WindowsAdapter",
    "WindowsBoot",
    "WindowsDrivers",
    "WindowsHal",
    "WindowsNetwork",
    "WindowsProgram",
    "WindowsPrograms",
    "WindowsService",
    "WindowsServices",
    "WindowsSystem",
    "WindowsTools",
    "WriteData",
    "WriteFile",
    "Xorg",
    "XorgDevice",
    "all_args",
    "binary",
    "comment_out",
    "dword",
    "expand_sz",
    "ifname_kind",
    "is_glob",
    "is_link_local",
    "is_local_host",
    "is_loopback_address",
    "is_private_address",
    "is_topology_name",
    "is_vmware_name",
    "kernel_fate",
    "kernel_position",
    "kernel_prefix",
    "lacking",
    "last_arg",
    "multi_sz",
    "name_kind",
    "normal",
    "parent_name",
    "provides",
    "replace_token",
    "sample_boot",
    "sample_bzimage",
    "sample_domain",
    "sample_elf",
    "sample_initramfs",
    "sample_kernel",
    "sample_ovf",
    "sample_unsaved_hive",
    "sample_vmx",
    "set_value",
    "sz",
    "virt_v2v_converts",
    "virt_v2v_rebuilds",
    "volume_of",
]
