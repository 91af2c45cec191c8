"""The switches that make the sandbox misbehave: what each one does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Switches:
    """One switch set; the defaults are a provider that does everything right."""

    words: tuple[str, ...] = ()
    """The words as written, without `times`."""

    # What the result looks like.
    shape: str = "A"
    """Where the text is: A `output[].choices[]`, B `response`, C `output[].text`, D `output`; `none` is nowhere.

    In V3: A `choices[].message.content`, B the same without `created` and usage, C `choices[].text`, D in parts.
    """
    charge: str = "number"
    """The charge as `number` or `string`."""
    code: str = "string"
    """The status code as `string` or `int`."""
    extra: bool = False
    """Keys that no document mentions."""
    from_cache: bool = False
    """`from_cache` is true and `input.id` is another task's."""
    fail: str | None = None
    """The task fails with this code."""
    with_response: bool = False
    """A failed task has a `response` all the same."""
    null_content: bool = False
    """V3: there is no text, as all tokens went into thinking (`finish_reason` is length)."""
    malformed: bool = False
    """The body is cut in the middle."""

    # How the callback travels.
    before_ack: bool = False
    """The ack waits until the receiver has answered the callback."""
    duplicate: bool = False
    """The same body is sent twice."""
    resent: bool = False
    """The callback is sent again with `resent_on` and `resent_by`."""
    lost: bool = False
    """No callback is sent."""
    reordered: bool = False
    """Another task's callback is let past first."""
    late: bool = False
    """The task takes `late_seconds` longer."""
    delay: float = 0.0
    """The task takes this many seconds longer."""

    # How the submit is answered.
    ack: str = "task_id"
    """Where the id is in the ack: `task_id`, `id`, `task_ids`, `full` (all that was ever seen), `none`."""
    ack_delay: float = 0.0
    """Seconds before the submit is answered, whatever the answer."""
    return_code: int | None = None
    """HTTP 200 with this `return_code`; nothing is booked."""
    status: int | None = None
    """This HTTP status (300 to 599); nothing is booked."""
    booked: bool = False
    """With `status` or `return_code`: the task is booked, billed and called back all the same."""
    retry_after: int | None = None
    """With `status`: `Retry-After` in seconds."""
    retry_date: int | None = None
    """With `status`: `Retry-After` as the HTTP date this many seconds ahead."""
    error: str = "object"
    """V3, with `status`: the error body is an `object`, a return `code`, or a `message` alone."""
    html: bool = False
    """With `status`: the error body is HTML."""
    stream_only: bool = False
    """V3: who doesn't ask for a stream is refused."""
    reset: bool = False
    """The task is booked, then the connection is reset without an answer."""

    times: int | None = None
    """In a directive: for how many submissions of the prompt it holds; None is all of them."""

    @property
    def books(self) -> bool:
        """Whether the task is accepted, and so billed."""
        return self.booked or self.reset or not self.hides_ack

    @property
    def hides_ack(self) -> bool:
        """Whether the submit is answered with something else than an ack or a result."""
        return self.reset or self.status is not None or self.return_code is not None

    @property
    def text(self) -> str:
        """The words as one line."""
        return " ".join(self.words)

    @property
    def needs_callback(self) -> bool:
        """Whether a word speaks of the ack or the callback, which a sync task doesn't have."""
        return bool({name_of(word) for word in self.words} & ASYNC_ONLY)


CALM = Switches()
ASYNC_ONLY = frozenset({"before_ack", "duplicate", "resent", "lost", "reordered", "ack"})


def name_of(word: str) -> str:
    """The name in `name` or `name=value`."""
    return word.partition("=")[0]
