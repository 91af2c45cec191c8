"""The providers that these settings configure, by the name that a job carries."""

from collections.abc import Mapping

from app.config import Settings
from app.provider_settings import ProviderSettings
from app.providers.base import Provider
from app.providers.hive_v2 import HiveV2
from app.providers.openai_chat import OpenAIChat


def registry(settings: Settings) -> Mapping[str, Provider]:
    """Every configured provider. Made once in a process: each remembers the key that works."""
    return {name: _provider(each) for name, each in settings.every_provider.items()}


def _provider(told: ProviderSettings) -> Provider:
    if told.kind == "hive_v2":
        return HiveV2(told.base_url, told.revealed_keys, told.permanent_codes, told.task_path, told.name)
    is_hive = told.kind == "hive_v3"
    return OpenAIChat(told.name, told.base_url, told.revealed_keys, told.models, streams=told.stream, is_hive=is_hive)
