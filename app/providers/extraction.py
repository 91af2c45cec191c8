"""Finds the text, the cost and the rest in one entry of a V2 result, whose shape nobody can confirm any more.

Every function takes JSON as it came, whatever it holds, and raises nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO = Decimal(1_000_000_000)
MAX_COST_NANO = 10**15
"""A million units: what says more is no charge for text."""

MAX_NUMBER_CHARS = 64

TEXT_KEYS = ("text", "response", "content", "output")


def find_text(response: object) -> str | None:
    """The generated text in the `response` of one successful entry; None where none is recognised.

    The places, in this order: `output`, `response`, `choices`, `text`. The first that holds something wins; an empty
    string counts only where nothing else is found. Several strings of one place are concatenated in their order.
    A bare `message` outside `choices` is never taken: image results use it for a status.
    """
    if not isinstance(response, dict):
        return None
    places = (_text_of(response.get("output")), _text_of(response.get("response")))
    return _best((*places, _text_of_choices(response.get("choices")), _string(response.get("text"))))


def find_cost_nano(response: object) -> int | None:
    """`input.charge`, a number or a string of one, in units of 10^-9; None where it is missing, negative or absurd."""
    charge = _get(response, "input", "charge")
    if isinstance(charge, bool) or not isinstance(charge, int | float | str):
        return None
    amount = _decimal(charge)
    if amount is None or not 0 <= amount * NANO <= MAX_COST_NANO:
        return None
    return int((amount * NANO).to_integral_value(ROUND_HALF_EVEN))


def find_details(response: object) -> dict[str, object]:
    """`model`, `finish_reason` and `usage`, each where the entry has it."""
    found: dict[str, object] = {}
    model = _get(response, "input", "model")
    if isinstance(model, str):
        found["model"] = model
    for holder in _holders(response):
        for choice in _listed(holder.get("choices")):
            _keep(found, "finish_reason", _get(choice, "finish_reason"), str)
        _keep(found, "finish_reason", holder.get("finish_reason"), str)
        _keep(found, "usage", holder.get("usage"), dict)
    return found


def _text_of(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _joined(_text_of(item) for item in value)
    if isinstance(value, dict):
        return _best((_text_of_choices(value.get("choices")), *(_text_of(value.get(key)) for key in TEXT_KEYS)))
    return None


def _text_of_choices(choices: object) -> str | None:
    return _joined(_text_of_choice(choice) for choice in _listed(choices))


def _text_of_choice(choice: object) -> str | None:
    message = _get(choice, "message")
    return _best((_text_of(_get(message, "content")), _string(message), _string(_get(choice, "text"))))


def _best(candidates: Iterable[str | None]) -> str | None:
    found = [text for text in candidates if text is not None]
    return next((text for text in found if text), "" if found else None)


def _joined(texts: Iterable[str | None]) -> str | None:
    found = [text for text in texts if text is not None]
    return "".join(found) if found else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _decimal(number: float | str) -> Decimal | None:
    text = str(number)
    if len(text) > MAX_NUMBER_CHARS:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount.adjusted() <= MAX_NUMBER_CHARS else None


def _holders(response: object) -> Iterator[Mapping[str, object]]:
    for holder in (response, *_listed(_get(response, "output"))):
        if isinstance(holder, dict):
            yield holder


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _get(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _keep(found: dict[str, object], key: str, value: object, kind: type) -> None:
    if isinstance(value, kind):
        found.setdefault(key, value)
