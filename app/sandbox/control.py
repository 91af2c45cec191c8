"""The routes that steer a sandbox while it runs, for tests and the demo: `/sandbox/...`, without a key."""

from typing import Any

from flask import Blueprint, request

from app.sandbox.keys import REASONS
from app.sandbox.profiles import Profile, custom_profile, profile_named
from app.sandbox.views import this_sandbox
from app.sandbox.words import FaultError, parse_switches

control = Blueprint("control", __name__, url_prefix="/sandbox")
PAGE = 1000


@control.get("/profile")
def show_profile() -> dict[str, object]:
    """The profile in use and its seed."""
    dice = this_sandbox().dice
    return {"seed": dice.seed, **dice.profile.to_json()}


@control.put("/profile")
def change_profile() -> dict[str, object]:
    """Use the profile `name`, or one of own `weights` ({words: share}), with `seed`."""
    body = _body("name", "seed", "weights")
    dice = this_sandbox().dice
    seed = body.get("seed", dice.seed)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FaultError("seed must be a whole number")
    dice.use(_profile(body, dice.profile), seed)
    return show_profile()


@control.post("/next")
def queue() -> dict[str, object]:
    """Give the `switches` (words) to the next `count` submissions without a directive; 1 by default."""
    body = _body("switches", "count")
    count, words = body.get("count", 1), body.get("switches")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise FaultError("count must be a whole number from 1")
    if not isinstance(words, str):
        raise FaultError("switches must be a string of words, such as 'status=429 retry_after=1'")
    switches = parse_switches(words)
    if switches.times is not None:
        raise FaultError("times belongs into a directive; give count instead")
    this_sandbox().dice.queue(switches, count)
    return {"switches": switches.text, "count": count}


@control.post("/keys")
def change_key() -> dict[str, object]:
    """Refuse `key` with `status` 401, 402, 403 or 405; accept it with status 200."""
    body = _body("key", "status")
    key, status = body.get("key"), body.get("status")
    if not isinstance(key, str) or not key:
        raise FaultError("key must be a string")
    if status == 200:
        this_sandbox().keys.accept(key)
    elif isinstance(status, int) and status in REASONS:
        this_sandbox().keys.refuse(key, status)
    else:
        raise FaultError(f"status must be one of 200, {', '.join(map(str, REASONS))}")
    return {"status": status}


@control.post("/reset")
def reset() -> dict[str, object]:
    """Go back to the beginning."""
    this_sandbox().reset()
    return {"message": "reset"}


@control.get("/ledger")
def ledger() -> dict[str, object]:
    """Booked and refused submits from the offsets `since` and `refused_since` on, `limit` of each, and totals.

    With `settle` it first waits until every callback was sent, so many seconds at most.
    """
    is_settled = this_sandbox().settle(_number("settle", 0))
    page = this_sandbox().ledger.page(_number("since", 0), _number("refused_since", 0), _number("limit", PAGE))
    return {**page, "settled": is_settled}


@control.errorhandler(FaultError)
def bad_request(error: FaultError) -> tuple[dict[str, str], int]:
    """Say what is wrong with a request to steer."""
    return {"message": str(error)}, 400


def _profile(body: dict[str, Any], current: Profile) -> Profile:
    name, weights = body.get("name"), body.get("weights")
    if weights is None:
        return current if name is None else profile_named(str(name))
    if not isinstance(weights, dict):
        raise FaultError("weights must be an object: words to share")
    return custom_profile("custom" if name is None else str(name), weights)


def _body(*names: str) -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise FaultError("the body must be a JSON object")
    if unknown := sorted(body.keys() - set(names)):
        raise FaultError(f"unknown fields: {', '.join(unknown)}; known are {', '.join(names)}")
    return body


def _number(name: str, default: int) -> int:
    written = request.args.get(name, str(default))
    if not (written.isascii() and written.isdigit()):
        raise FaultError(f"{name} must be a whole number from 0")
    return int(written)
