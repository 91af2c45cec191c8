"""`hivebatch sandbox`: the provider's emulator as a process of its own."""

import signal
from typing import Any

import click

from app.errors import UnsafeConfiguration
from app.sandbox.config import SandboxConfig
from app.sandbox.server import SandboxServer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, default=8900, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--profile", type=click.Choice(["calm", "default", "hostile"]), default="default", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Makes its faults repeatable.")
@click.option("--late-seconds", type=float, default=4.0, show_default=True, help="How late a late callback is.")
@click.option("--allow-remote-callbacks", is_flag=True, help="Call back other machines too.")
@click.option("--forward-to", metavar="URL", help="Base URL of a chat/completions server that writes the answers.")
@click.option("--forward-model", default="default", show_default=True, help="The model that it is asked for.")
@click.option("--forward-key", envvar="SANDBOX_FORWARD_KEY", help="Its key; better in SANDBOX_FORWARD_KEY.")
def sandbox(host: str, port: int, **settings: Any) -> None:
    """Emulate Hive's V2 and V3 APIs, with their faults."""
    config = SandboxConfig(**settings)
    try:
        server = SandboxServer(config, host, port)
    except OSError as error:
        raise UnsafeConfiguration(f"port {port} of {host} can't be had: {error.strerror}") from error
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    told = f"Sandbox on {server.url}, profile {config.profile}, seed {config.seed}"
    click.echo(f"{told}; its ledger is at {server.url}/sandbox/ledger")
    server.serve_forever()
