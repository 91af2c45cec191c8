"""`hivebatch sandbox`: the provider's emulator as a process of its own."""

import signal

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
def sandbox(host: str, port: int, profile: str, seed: int, late_seconds: float, allow_remote_callbacks: bool) -> None:
    """Emulate Hive's V2 API, with its faults."""
    settings = SandboxConfig(
        profile=profile, seed=seed, late_seconds=late_seconds, allow_remote_callbacks=allow_remote_callbacks
    )
    try:
        server = SandboxServer(settings, host, port)
    except OSError as error:
        raise UnsafeConfiguration(f"port {port} of {host} can't be had: {error.strerror}") from error
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    click.echo(f"Sandbox on {server.url}, profile {profile}, seed {seed}; its ledger is at {server.url}/sandbox/ledger")
    server.serve_forever()
