"""`hivebatch up`: the service on this machine, with nothing else to install or start."""

import sys

import click

from app import config, logs
from app.cli.service import Service, prepared
from app.provider_settings import ProviderSettings
from app.sandbox.config import SandboxConfig


@click.command()
@click.option("--sandbox", is_flag=True, help="Run the provider's emulator too, and submit to it.")
@click.option("--v3", is_flag=True, help="Have the sandbox be V3 as well, for jobs that name one of its models.")
@click.option("--profile", type=click.Choice(["calm", "default", "hostile"]), default="default", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The sandbox's seed.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
def up(sandbox: bool, v3: bool, profile: str, seed: int, port: int | None) -> None:
    """Run the service here: SQLite, one process, loopback only."""
    wanted = config.load()
    if v3 and (not sandbox or wanted.providers is not None):
        raise click.UsageError("--v3 is for --sandbox alone; other providers stand in a file, HIVEBATCH_PROVIDERS")
    logs.configure(wanted.log_level)
    overrides: dict[str, object] = {} if port is None else {"port": port}
    emulated = SandboxConfig(profile=profile, seed=seed) if sandbox else None
    with prepared(overrides, emulated, has_v3=v3) as service:
        status = service.serve(on_ready=lambda: click.echo(_banner(service)))
    sys.exit(status)


def _banner(service: Service) -> str:
    settings = service.runtime.settings
    lines = [
        *(line for refusal in settings.refusals.values() for line in ("", f"  Nothing is submitted: {refusal}")),
        "",
        f"  Hivebatch runs at {service.url}",
        f"  API key           {service.api_key}",
        f"  Admin page        {service.url}/admin/  password {_shown(service.admin_password)}",
        *(f"  Provider          {_named(each, service)}" for each in settings.providers_in_use.values()),
        f"  Data              {settings.data_dir.absolute()}",
        "",
        "  Submit a first batch:",
        f"    curl {service.url}/api/batches -H 'Authorization: Bearer {service.api_key}' \\",
        "      -H 'Content-Type: application/json' \\",
        """      -d '{"name": "first", "jobs": [{"custom_id": "1", "text_data": "Name three rivers."}]}'""",
        "",
    ]
    return "\n".join(lines)


def _shown(password: str) -> str:
    return "as configured" if password.startswith("$argon2id$") else password


def _named(provider: ProviderSettings, service: Service) -> str:
    is_sandbox = service.sandbox is not None and provider.base_url.startswith(service.sandbox.url)
    return f"{provider.base_url}{' (the sandbox)' if is_sandbox else ''}"
