"""What a service needs, built once a process: settings, database, providers, tokens, doorbell."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.clock import now
from app.commits import GroupCommit
from app.config import Settings
from app.db import Connection, Database
from app.endings import Endings
from app.errors import UnsafeConfiguration
from app.outbound.addresses import Guard
from app.outbound.crowds import Crowds
from app.outbound.echoes import Outside
from app.outbound.webhooks import GuardedSender, WebhookSender
from app.providers import registry
from app.providers.base import Provider
from app.providers.senders import Sender, new_sender
from app.queue import Doorbell
from app.singleflight import SingleFlight
from app.store import schema
from app.tokens import EchoSigner, TokenSigner
from app.transitions import Moment

LOOKUPS_AT_ONCE = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime:
    """The parts of one process.

    `sending` submits, with a sender for each provider, and `asking` looks tasks up, so that none waits for another.
    `webhook_sender` sends webhooks to where `guard` lets it, and `crowds` keeps a slow receiver from holding up the
    others; `waiting` counts the requests that may hold a thread for long.
    `drains` keeps to one run a provider. `stopping` is set when the process is to end: nothing new is claimed, what was
    not sent is handed back. `sweeping_due` wakes its sweeper early; `echo_needed` tells it that jobs wait for an echo.
    `clock_is_off` is set while this machine's clock is too far from the database's, which `database_clock` tells.
    `learned` holds callback time-outs in seconds, by provider, as the sweep last found them. `endings` wakes whoever
    waits for a job that ends in this process.
    """

    settings: Settings
    database: Database
    providers: Mapping[str, Provider]
    signer: TokenSigner
    echoes: EchoSigner
    doorbell: Doorbell
    sending: Mapping[str, Sender]
    asking: Sender
    drains: SingleFlight = field(default_factory=SingleFlight)
    stopping: threading.Event = field(default_factory=threading.Event)
    sweeping_due: threading.Event = field(default_factory=threading.Event)
    clock_is_off: threading.Event = field(default_factory=threading.Event)
    database_clock: Callable[[Connection], datetime | None] = schema.clock
    echo_needed: threading.Event = field(default_factory=threading.Event)
    outside: Outside = field(default_factory=Outside)
    guard: Guard = field(default_factory=Guard)
    webhook_sender: WebhookSender = field(default_factory=lambda: GuardedSender(Guard()))
    crowds: Crowds = field(default_factory=Crowds)
    waiting: threading.BoundedSemaphore = field(default_factory=threading.BoundedSemaphore)
    learned: dict[str, float] = field(default_factory=dict)
    endings: Endings = field(default_factory=Endings)
    callback_commits: GroupCommit[Any, Any] = field(default_factory=GroupCommit)

    def moment(self) -> Moment:
        """Now, with the times that this installation allows."""
        return Moment(now(), self.settings.timing, self.settings.timings, self.learned)

    @property
    def calling_back(self) -> Sequence[str]:
        """The providers whose answers come later, to our address."""
        return [name for name in self.providers if self.settings.every_provider[name].calls_back]

    def need_echo(self) -> None:
        """Have an echo asked for soon, by the sweeper: nobody else waits for it."""
        self.echo_needed.set()
        self.sweeping_due.set()

    def close(self) -> None:
        """End what runs for it: the doorbell's thread, the senders, the connections."""
        self.stopping.set()
        self.callback_commits.close()
        self.doorbell.close()
        for sender in self.sending.values():
            sender.close()
        self.asking.close()
        self.database.close()


def build(settings: Settings, doorbell: Doorbell) -> Runtime:
    """The runtime for these settings; nothing is connected yet.

    Raises:
        UnsafeConfiguration: no secret key is set, so callbacks could not be told from forgeries; or the chosen sender
            is not installed.
    """
    if not settings.secret_keys:
        raise UnsafeConfiguration("HIVEBATCH_SECRET_KEY is not set (`hivebatch up` makes one of its own)")
    guard = Guard(allows_loopback=settings.mode == "local", private_networks=settings.webhook_private_networks)
    for name, refusal in settings.refusals.items():
        logger.warning("nothing_is_submitted", extra={"provider": name, "reason": refusal})
    return Runtime(
        settings=settings,
        database=Database(settings.resolved_database_url),
        providers=registry(settings),
        signer=TokenSigner(settings.secret_keys),
        echoes=EchoSigner(settings.secret_keys),
        doorbell=doorbell,
        sending={
            name: new_sender(settings, each.connections, each.submit_timeout_seconds)
            for name, each in settings.every_provider.items()
        },
        asking=new_sender(settings, LOOKUPS_AT_ONCE, settings.submit_timeout_seconds),
        guard=guard,
        webhook_sender=GuardedSender(guard),
        crowds=Crowds(max(1, settings.couriers // 2)),
        waiting=threading.BoundedSemaphore(max(1, settings.web_threads // 4)),
    )
