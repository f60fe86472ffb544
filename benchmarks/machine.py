"""What the figures were measured on.

Reads what the machine says of itself; where it says nothing, the answer is "unknown" and never a guess.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("cryptography", "msgspec", "litestar", "uvicorn", "SQLAlchemy", "aiosqlite")
_MIB: Final = 1024


def facts(folder: Path) -> list[tuple[str, str]]:
    """Return names and values; `folder` is where the databases of the run are."""
    return [
        ("processor", _after("/proc/cpuinfo", "model name") or platform.processor() or "unknown"),
        ("cores", str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 0)),
        ("memory", _memory()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("file system of the databases", _file_system(folder)),
        ("Python", platform.python_version()),
        ("SQLite", sqlite3.sqlite_version),
        ("packages", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
    ]


def load() -> str:
    """Return what else the machine was doing: the load averages of the last 1, 5 and 15 minutes."""
    return ", ".join(f"{one:.2f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


def resident_mib(pid: int) -> tuple[float, float]:
    """Return a process's resident memory now and at its highest, in MiB; 0 where the system does not tell."""
    status = f"/proc/{pid}/status"
    now, top = (_after(status, name) for name in ("VmRSS", "VmHWM"))
    return _kib(now) / _MIB, _kib(top) / _MIB


def forget_highest(pid: int) -> None:
    """Let the highest resident memory of a process be counted anew from now."""
    place = Path(f"/proc/{pid}/clear_refs")
    if place.exists():
        place.write_text("5", encoding="ascii")


def _after(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name)
    return next(found, "")


def _kib(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) if text else 0


def _memory() -> str:
    total = _kib(_after("/proc/meminfo", "MemTotal"))
    return f"{total / _MIB / _MIB:.1f} GiB" if total else "unknown"


def _file_system(folder: Path) -> str:
    """Return the type of the file system with the longest mount point above a folder."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    mounts = {fields[1]: fields[2] for line in lines if len(fields := line.split()) > len("12")}
    above = [str(one) for one in (folder.resolve(), *folder.resolve().parents) if str(one) in mounts]
    return mounts[above[0]] if above else "unknown"
