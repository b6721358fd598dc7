"""How many processors this process may really use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["usable_cpus"]

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """At least 1: the machine's processors, or fewer by affinity, a container's quota, or the
    environment's OMP_NUM_THREADS, by which who shares out a machine says what each process gets.

    Linux states a quota in control groups, version 2 (``cpu.max``) or 1 (``cpu.cfs_quota_us``).
    More threads than the quota allows are stopped in mid-run and make every question slower.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have none
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _quota(cgroup) or allowed, _share() or allowed))


def _share() -> int | None:
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() else None


def _quota(cgroup: Path) -> int | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        except (OSError, ValueError):
            return None
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None  # "max", or -1: no limit
    return -(-int(quota) // int(period))
