"""The whole service in one process: web, worker and, if wanted, the provider's sandbox."""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import click

from app import config, create_app
from app.api.front import Front
from app.cli import serving
from app.cli.home import SANDBOX, Home
from app.config import Settings, reveal
from app.errors import UnsafeConfiguration
from app.provider_settings import is_loopback
from app.queue import Celery, CeleryDoorbell, make_celery
from app.runtime import Runtime, build
from app.sandbox.config import SandboxConfig
from app.sandbox.server import SandboxServer
from app.services import keys, status
from migrations import runner
from workers.attaching import attach
from workers.embedded import EmbeddedWorker

SANDBOX_TASK_PATH = "/api/v2/task?task_id={task_id}"
SANDBOX_V3 = '[hive_v3]\nkind = "hive_v3"\nbase_url = "{url}/api/v3"\nkeys = ["sandbox"]\n'
# What the sandbox loses should not look stuck for as long as a real provider is given.
SANDBOX_TIMES = {"callback_timeout_seconds": 20.0, "unknown_grace_seconds": 10.0}


@dataclass
class Service:
    """One that is ready to serve. Its secrets are those of its data directory unless the environment fixes them."""

    runtime: Runtime
    celery: Celery
    listener: socket.socket
    url: str
    api_key: str
    admin_password: str
    sandbox: SandboxServer | None

    def serve(self, on_ready: Callable[[], None]) -> int:
        """Serve in the main thread until the process is told to stop; the exit status, 1 if the worker died.

        `on_ready` is called, in another thread, once jobs run.
        """
        deaths: list[str] = []

        def die() -> None:
            deaths.append("worker")
            stop()

        server = serving.Server(Front(create_app(self.runtime)), self.runtime.stopping.set)
        attach(self.celery, self.runtime)
        worker = EmbeddedWorker(self.celery, f"up@{os.getpid()}", on_ready, die)
        worker.start()
        try:
            server.answer(self.listener)
        finally:
            click.echo("Stopping: what was submitted is waited for; once more to stop at once.", err=True)
            for number in serving.STOP_SIGNALS:
                signal.signal(number, lambda *_: os._exit(130))
            worker.stop(self.runtime.settings.longest_lease_seconds)
        return 1 if deaths else 0


def stop() -> None:
    """End the service of this process, as a SIGTERM from outside would."""
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def prepared(
    overrides: Mapping[str, object], sandbox: SandboxConfig | None = None, *, has_v3: bool = False
) -> Iterator[Service]:
    """A service from the environment, `overrides` before it; with a sandbox, that is the provider, as V3 too if wanted.

    Raises:
        UnsafeConfiguration: another process has the data directory, or the settings belong to production.
    """
    wanted = config.load(**overrides)
    if wanted.mode != "local" or not is_loopback(f"http://{wanted.host}"):
        raise UnsafeConfiguration("`up` serves this machine only; in production run what the Procfile says")
    with ExitStack() as stack:
        home = stack.enter_context(Home(wanted.data_dir))
        listener = stack.enter_context(serving.listen(wanted.host, wanted.port))
        url = f"http://{wanted.host}:{listener.getsockname()[1]}"
        provider = stack.enter_context(SandboxServer(sandbox)) if sandbox else None
        chosen = _defaults(wanted, home, url, provider)
        if provider is not None and has_v3:
            chosen["providers"] = home.keep_note("providers.toml", SANDBOX_V3.format(url=provider.url))
        settings = config.load(**{**chosen, **overrides})
        celery = make_celery(settings)
        runtime = build(settings, CeleryDoorbell(celery))
        stack.callback(runtime.close)
        runner.upgrade(runtime.database)
        _refuse_another_provider(runtime, home, SANDBOX if provider else settings.hive_url)
        api_key = reveal(settings.dev_key)
        keys.ensure(runtime, "dev", "made by `hivebatch up`", api_key)
        yield Service(runtime, celery, listener, url, api_key, reveal(settings.admin_password), provider)


def _refuse_another_provider(runtime: Runtime, home: Home, provider: str) -> None:
    """Jobs that wait for one provider must not be bought from another, least of all from the sandbox."""
    before = home.note("provider")
    if before not in (None, provider) and status.has_open_batches(runtime):
        raise UnsafeConfiguration(
            f"{home.path} has open batches for {before}, and this would submit them to {provider}: finish or cancel "
            "them first, or set another HIVEBATCH_DATA_DIR"
        )
    home.keep_note("provider", provider)


def _defaults(wanted: Settings, home: Home, url: str, sandbox: SandboxServer | None) -> dict[str, object]:
    """What the environment leaves open, `up` fills in."""
    chosen: dict[str, object] = {name: value for name, value in home.secrets().items() if not getattr(wanted, name)}
    if wanted.public_url is None or sandbox is not None:
        chosen["public_url"] = url
    if sandbox is not None:
        chosen |= {"hive_url": sandbox.url, "hive_key": "sandbox", "hive_task_path": SANDBOX_TASK_PATH}
        chosen |= {name: value for name, value in SANDBOX_TIMES.items() if name not in wanted.model_fields_set}
    return chosen
