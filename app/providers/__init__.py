"""The providers that these settings configure, by the name that a job carries."""

from collections.abc import Mapping

from app.config import Settings
from app.providers.base import Provider
from app.providers.hive_v2 import HiveV2


def registry(settings: Settings) -> Mapping[str, Provider]:
    """Every configured provider. Made once in a process: each remembers the key that works."""
    hive_v2 = HiveV2(
        base_url=settings.hive_url,
        keys=settings.hive_keys,
        permanent_codes=settings.hive_permanent_codes,
        task_path=settings.hive_task_path,
    )
    return {hive_v2.name: hive_v2}
