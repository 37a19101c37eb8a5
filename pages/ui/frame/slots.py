"""How many runs train at once on this machine."""

import logging
import os
from functools import cache
from pathlib import Path

from core.problems import Problem

VARIABLE, MOST = "RUN_SLOTS", 256
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container (Linux): "microseconds period", or "max period"


@cache
def slots() -> int:
    """The number that the environment's ``RUN_SLOTS`` gives, else the number of cores. A value that is not a number
    from 1 to ``MOST`` is named in one line of the log, and the number of cores is used."""
    given = os.environ.get(VARIABLE, "").strip()
    if given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MOST:
        return int(given)
    found = cores()
    if given:
        logging.getLogger(__name__).error("%s", Problem("run_slots", value=repr(given[:40]), most=MOST, cores=found))
    return found


def cores() -> int:
    """The cores that this process may use: those that the system gives it, at most as many as its container's share."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text().split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # another system, or no limit
        return count
