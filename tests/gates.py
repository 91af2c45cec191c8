"""Gates: what happens while another transaction has done its work but is not committed yet."""

import threading
from collections.abc import Callable

from app.runtime import Runtime
from tests.factories import interposed

_PATIENCE_SECONDS = 0.3


class Gate:
    """Holds every commit but the first `skip` until it is opened."""

    def __init__(self, skip: int = 0) -> None:
        self._skip = skip
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        if self._skip:
            self._skip -= 1
            return
        self.reached.set()
        assert self.open.wait(20)


def while_uncommitted(
    runtime: Runtime, first: Callable[[Runtime], object], second: Callable[[], object], *, skip: int = 0
) -> bool:
    """Run `second` while a transaction of `first` (behind the first `skip`) waits for its commit; then let both end.

    Returns whether `second` ended before that commit, so that it did not have to wait for it.
    """
    gate = Gate(skip)
    gated = interposed(runtime, before_commit=gate)
    threads = [threading.Thread(target=first, args=(gated,)), threading.Thread(target=second)]
    threads[0].start()
    assert gate.reached.wait(10)
    threads[1].start()
    threads[1].join(_PATIENCE_SECONDS)
    has_ended = not threads[1].is_alive()
    gate.open.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return has_ended
