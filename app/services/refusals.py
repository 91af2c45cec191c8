"""Refusals that only a person or other settings can end: a start with the settings that were refused ends none."""

import logging
from collections.abc import Callable, Mapping

from app.config import Settings
from app.db import Connection
from app.provider_settings import ProviderSettings
from app.store import holds
from app.tokens import Fingerprints

_BLAMED: Mapping[str, Callable[[ProviderSettings], str]] = {
    "key_refused": lambda told: "\0".join(sorted(told.revealed_keys)),  # all were refused, whichever was first
    "misconfigured": lambda told: told.base_url,  # it redirects; no other setting decides on that
}

logger = logging.getLogger(__name__)


def fingerprint(settings: Settings, provider: str, reason: str) -> str | None:
    """What a hold keeps of the settings that it blames, never themselves; None for a hold that blames none."""
    if reason not in _BLAMED:
        return None
    return Fingerprints(settings.secret_keys).of(_BLAMED[reason](settings.every_provider[provider]))


def lift_outdated(settings: Settings, connection: Connection, provider: str) -> None:
    """End the holds that blame other settings than these, and those of a version that did not note which."""
    for reason in _BLAMED:
        fingerprints = Fingerprints(settings.secret_keys).all_of(_BLAMED[reason](settings.every_provider[provider]))
        if holds.lift_outdated(connection, provider, reason, fingerprints):
            logger.info("hold_outdated", extra={"provider": provider, "reason": reason})
