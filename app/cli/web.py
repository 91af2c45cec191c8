"""`hivebatch web`: a web process of a production installation."""

import signal

import click

from app import config, create_app, logs, runtime
from app.api.front import Front
from app.cli import serving
from app.queue import CeleryDoorbell, make_celery


@click.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104 - behind a proxy
@click.option("--port", type=int, required=True, help="Port to listen on.")
def web(host: str, port: int) -> None:
    """Answer REST, callbacks and the admin page (PostgreSQL and a broker from the environment)."""
    settings = config.load()
    logs.configure(settings.log_level)
    built = runtime.build(settings, CeleryDoorbell(make_celery(settings)))
    server = serving.Server(Front(create_app(built)), built.stopping.set)
    try:
        server.answer(serving.listen(host, port))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        built.close()
