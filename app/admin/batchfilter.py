"""What an address asks of the list of batches, and the words that say the same in the next address."""

from typing import Any

from werkzeug.datastructures import MultiDict

from app.services.batchlists import BatchFilter

_MAX_CHARS = 200


def read(said: MultiDict[str, str]) -> BatchFilter:
    """The filter; an unknown status is found out when it is used."""
    return BatchFilter(tuple(dict.fromkeys(said.getlist("status"))), _word(said, "owner"), _word(said, "name"))


def kept(asked: BatchFilter) -> dict[str, Any]:
    """What is said of it in an address; empty if all batches are meant."""
    said = {"status": list(asked.statuses), "owner": asked.owner, "name": asked.name}
    return {name: value for name, value in said.items() if value}


def _word(said: MultiDict[str, str], name: str) -> str | None:
    return said.get(name, "").replace("\x00", "").strip()[:_MAX_CHARS] or None
