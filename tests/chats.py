"""Arranges V3 and a streaming server that is compatible with OpenAI beside V2, all of them a sandbox."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.clock import now
from app.runtime import Runtime, build
from app.sandbox import SandboxConfig
from app.sandbox.config import MODELS
from app.sandbox.server import SandboxServer
from app.services import doctor, submission
from tests.conftest import make_settings
from tests.fakes import RecordingDoorbell

LLAMA = "meta-llama/llama-3.2-1b-instruct"
PROVIDERS = """
[hive_v3]
kind = "hive_v3"
base_url = "{url}/api/v3"
keys = ["old", "new"]
max_in_flight = 50

[local]
kind = "openai_chat"
base_url = "{url}/api/v3"
keys = ["any"]
models = ["meta-llama/llama-3.1-8b-instruct", "own/model"]
stream = true
max_output_tokens = 4096
submit_timeout_seconds = 5
unknown_grace_seconds = 7
"""


@contextmanager
def chatting(
    database_url: str, folder: Path, sender: str = "requests", profile: str = "calm", **sandbox: Any
) -> Iterator[Runtime]:
    """A runtime with `hive_v3` and `local`, which answer as the sandbox does with this profile."""
    config = SandboxConfig(profile=profile, latency=(0.0, 0.0), models=MODELS | {"own/model"}, **sandbox)
    with SandboxServer(config) as server:
        path = folder / "providers.toml"
        path.write_text(PROVIDERS.format(url=server.url))
        settings = make_settings(database_url=database_url, providers=path, sender=sender)
        # The database knows nothing of a frozen clock.
        runtime = replace(build(settings, RecordingDoorbell()), database_clock=lambda _: now())
        try:
            yield runtime
        finally:
            runtime.close()


def drain(runtime: Runtime, provider: str = "hive_v3") -> None:
    """Have all jobs of this provider answered that can be; what follows from it is done when this returns."""
    submission.drain(runtime, provider)
    runtime.callback_commits.wait_until_idle()


def assert_sound(runtime: Runtime) -> None:
    """All that the doctor looks at is as it should be."""
    assert [finding for finding in doctor.examine(runtime, with_bodies=True) if finding.violations] == []
