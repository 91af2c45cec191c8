"""At most one run of a thing at a time; asks that come meanwhile become one more run."""

import threading
from collections.abc import Callable


class SingleFlight:
    """Runs of named things, one at a time each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._again: dict[str, bool] = {}

    def run(self, name: str, action: Callable[[], object]) -> bool:
        """Run `action` now, and again as long as others ask meanwhile. False: it is running, and will run again."""
        with self._lock:
            if name in self._again:
                self._again[name] = True
                return False
            self._again[name] = False
        try:
            action()
            while self._is_asked_again(name):
                action()
        except BaseException:
            with self._lock:
                del self._again[name]
            raise
        return True

    def _is_asked_again(self, name: str) -> bool:
        with self._lock:
            asked = self._again[name]
            if asked:
                self._again[name] = False
            else:
                # Gone in the same moment as it is seen to be unwanted, or an ask in between would be lost.
                del self._again[name]
            return asked
