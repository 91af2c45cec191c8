"""What a sandbox can be told when it is made."""

from dataclasses import dataclass, field

MODELS = frozenset(
    {
        "meta-llama/llama-3.2-1b-instruct",
        "meta-llama/llama-3.2-3b-instruct",
        "meta-llama/llama-3.1-8b-instruct",
        "meta-llama/llama-3.1-70b-instruct",
        "hive/vision-language-model",
    }
)


@dataclass(frozen=True)
class SandboxConfig:
    """Settings of one sandbox; all durations are seconds."""

    profile: str = "default"
    """Which faults are drawn: calm, default or hostile (see `profiles`)."""
    seed: int = 1
    """Makes every draw repeatable."""
    latency: tuple[float, float] = (0.05, 0.3)
    """How long a task takes, from and to; drawn per submission."""
    late_seconds: float = 4.0
    """What the switch `late` adds to the latency: choose it above the client's callback time-out."""
    repeat_seconds: float = 0.05
    """How long after the first callback its duplicate follows."""
    reorder_seconds: float = 2.0
    """How long a reordered callback waits for another one to overtake it, at most."""
    callback_workers: int = 16
    """How many callbacks are sent at the same time."""
    callback_timeout: float = 10.0
    """How long the receiver of a callback may take."""
    allow_remote_callbacks: bool = False
    """Whether a callback may leave this machine."""
    keys: frozenset[str] | None = None
    """Accepted keys; None accepts every key that isn't empty."""
    models: frozenset[str] = MODELS
    """What V3 serves."""
    forward_to: str | None = None
    """Base URL of a server compatible with OpenAI that writes the answers; None makes them up."""
    forward_model: str = "default"
    """The model that it is asked for."""
    forward_key: str | None = field(default=None, repr=False)
    """The key that it wants."""
    stream_only: bool = False
    """Whether V3 refuses who doesn't ask for a stream."""
    max_tokens: int = 2048
    """Upper end of `max_tokens`, in V3 also its default."""
    max_characters: int = 64_000
    """A longer input is booked and ends as a failed task."""
