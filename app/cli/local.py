"""The runtime for a command that works on the database of this installation."""

from collections.abc import Iterator
from contextlib import contextmanager

from app import config
from app.cli.home import Home
from app.errors import UnsafeConfiguration
from app.queue import SilentDoorbell
from app.runtime import Runtime, build


@contextmanager
def opened() -> Iterator[Runtime]:
    """A runtime from the environment; without a secret key there, with the one of the data directory."""
    settings = config.load()
    if not settings.secret_keys:
        home = Home(settings.data_dir)
        if not home.is_made:
            raise UnsafeConfiguration(
                f"{home.path} holds no installation: start `hivebatch up`, or set HIVEBATCH_DATA_DIR"
            )
        settings = config.load(secret_key=home.secrets()["secret_key"])
    runtime = build(settings, SilentDoorbell())
    try:
        yield runtime
    finally:
        runtime.close()
