"""What a provider answered, before anybody knows what it means, and the keys that it is asked with."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from app.providers.dialogues import Dialogue, Request, Response
from app.providers.outcomes import KEY_STATUSES, one_line
from app.providers.readings import Fields, fields_of, words_of


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `status` is what it counts as, which a `return_code` in a 2xx decides."""

    status: int
    return_code: str | None
    fields: Fields | None
    response: Response

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        fields = self.fields or {}
        said = words_of(fields.get("message")) or words_of(fields.get("error"))
        if not said and self.fields is None:
            said = one_line(self.response.body[:2000].decode("utf-8", "replace"))
        return one_line(f"HTTP {self.status}: {said}" if said else f"HTTP {self.status}")


class Keys:
    """One or two keys of a provider, of which either may be refused while the other works. Shared by threads."""

    def __init__(self, keys: Sequence[str], refusals: Container[int] = KEY_STATUSES) -> None:
        self._keys = tuple(keys)
        self._key = self._keys[0] if self._keys else ""
        self.refusals = refusals

    def __bool__(self) -> bool:
        return bool(self._keys)

    def ask(self, request_with: Callable[[str], Request]) -> Dialogue[Reply]:
        """Ask with the key that worked last, and once more with the other one where the first is refused."""
        for key in self._to_try():
            reply = _reply((yield request_with(key)))
            if reply.status not in self.refusals:
                break
        if reply.is_success:
            self._key = key  # one assignment: threads see the old key or the new one, and both have worked
        return reply

    def _to_try(self) -> tuple[str, ...]:
        current = self._key
        return (current, *(key for key in self._keys if key != current))[:2]


def _reply(response: Response) -> Reply:
    parsed = fields_of(response.body)
    fields = parsed if isinstance(parsed, dict) else None
    return_code = _return_code(fields or {})
    if return_code is None or not 200 <= response.status < 300:
        return Reply(response.status, None, fields, response)
    status = int(return_code) if re.fullmatch(r"[45][0-9]{2}", return_code) else response.status
    return Reply(status, return_code, fields, response)


def _return_code(fields: Mapping[str, object]) -> str | None:
    """None where it says that all is well: missing, null, 0 or 200 (the vendor's client reads it so)."""
    code = fields.get("return_code")
    if not code or str(code).strip() in {"", "0", "200"}:
        return None
    return one_line(str(code), 40)
