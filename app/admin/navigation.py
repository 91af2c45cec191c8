"""The places of the page in the order in which the navigation has them, and which of them a page belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request, url_for

_PLACES = (
    ("Overview", "admin.overview"),
    ("Batches", "admin.batches"),
    ("Jobs", "admin.jobs"),
    ("Callbacks", "admin.callbacks"),
    ("Webhooks", "admin.webhooks"),
    ("Keys", "admin.keys"),
    ("Audit", "admin.audit"),
    ("System", "admin.system"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation. `is_here`: the page that is shown is this one or below it."""

    label: str
    url: str
    is_here: bool


def places() -> Sequence[Place]:
    """All of them."""
    urls = [(label, url_for(endpoint)) for label, endpoint in _PLACES]
    return [Place(label, url, _is_here(url)) for label, url in urls]


def _is_here(url: str) -> bool:
    # The address of the overview begins that of every other page, and ends with a slash as no other does.
    return request.path == url or (not url.endswith("/") and request.path.startswith(f"{url}/"))
