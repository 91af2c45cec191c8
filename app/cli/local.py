"""The runtime for a command that works on the database of this installation."""

from collections.abc import Iterator
from contextlib import contextmanager

from app import config
from app.cli.home import SANDBOX, Home
from app.config import Settings
from app.errors import UnsafeConfiguration
from app.queue import SilentDoorbell
from app.runtime import Runtime, build


@contextmanager
def opened() -> Iterator[Runtime]:
    """A runtime from the environment; without a secret key there, of the installation in the data directory."""
    settings = config.load()
    if not settings.secret_keys:
        home = Home(settings.data_dir)
        if not home.is_made:
            raise UnsafeConfiguration(
                f"{home.path} holds no installation: start `hivebatch up`, or set HIVEBATCH_DATA_DIR"
            )
        settings = config.load(**_as_up_has_it(settings, home))
    runtime = build(settings, SilentDoorbell())
    try:
        yield runtime
    finally:
        runtime.close()


def _as_up_has_it(settings: Settings, home: Home) -> dict[str, object]:
    """What `up` fills in, so that what its settings forbid is what these forbid."""
    own_url = f"http://{settings.host}:{settings.port}"
    chosen: dict[str, object] = {"secret_key": home.secrets()["secret_key"]}
    chosen["public_url"] = settings.public_url or own_url
    if home.note("provider") == SANDBOX:
        chosen |= {"public_url": own_url, "hive_url": own_url}  # wherever on this machine it listens
    return chosen


def secret_keys() -> tuple[str, ...]:
    """The keys of this installation; none where there is no installation."""
    settings = config.load()
    home = Home(settings.data_dir)
    if settings.secret_keys or not home.is_made:
        return settings.secret_keys
    return (home.secrets()["secret_key"],)
