"""Where a run took place, in words: figures without their machine mean little."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def words() -> str:
    """Processor, cores, system, date and how busy the machine was."""
    busy = f"load average {os.getloadavg()[2]:.1f}"
    today = datetime.now(UTC).date().isoformat()
    return f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}, {today}, {busy}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
