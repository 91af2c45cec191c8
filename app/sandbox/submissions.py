"""Reads a submit the way the vendor does: fields and options in, a valid `Submission` or a 400 out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from app.sandbox.config import SandboxConfig
from app.sandbox.refusals import Refusal

SOURCES = ("text_data", "url", "media")
FORWARDED = ("max_tokens", "temperature", "top_p")


@dataclass(frozen=True)
class Submission:
    """A valid submit."""

    prompt: str
    callback_url: str | None
    """None for a sync task."""
    metadata: str | None
    system_prompt: str | None
    chat: Mapping[str, object] = field(default_factory=dict, compare=False)
    """The same as the fields of a chat, for who may have to forward it."""

    @property
    def prompt_hash(self) -> str:
        """SHA-256 of the prompt in UTF-8, in hex."""
        return hash_of(self.prompt)


def hash_of(prompt: str) -> str:
    """SHA-256 of a prompt in UTF-8, in hex; a lone surrogate is no error."""
    return sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


def read_submission(fields: Mapping[str, object], config: SandboxConfig, is_sync: bool) -> Submission:
    """Check the fields of a submit.

    Raises:
        Refusal: 400, with a message that names the field and the rule.
    """
    options = _options(fields.get("options"))
    _check_options(options, config)
    prompt, system_prompt = _prompt(fields), _text_or_none(options.get("system_prompt"), "options.system_prompt")
    return Submission(
        prompt=prompt,
        callback_url=None if is_sync else _callback_url(fields.get("callback_url"), config),
        metadata=_text_or_none(fields.get("metadata"), "metadata"),
        system_prompt=system_prompt,
        chat=_chat(prompt, system_prompt, options),
    )


def _chat(prompt: str, system_prompt: str | None, options: Mapping[str, Any]) -> Mapping[str, object]:
    roles = _decoded(options.get("roles"), "options.roles") or {}
    history = _decoded(options.get("prompt_history"), "options.prompt_history") or []
    of_model = roles.get("model", "model")
    turns = [("assistant" if turn["role"] == of_model else "user", turn["content"]) for turn in history]
    said = [*([("system", system_prompt)] if system_prompt else []), *turns, ("user", prompt)]
    numbers = {name: options[name] for name in FORWARDED if options.get(name) is not None}
    return {"messages": [{"role": role, "content": text} for role, text in said], **numbers}


def _prompt(fields: Mapping[str, object]) -> str:
    given = [name for name in SOURCES if fields.get(name) is not None]
    if len(given) != 1:
        raise Refusal(400, f"exactly one of text_data, url, media is required; got {', '.join(given) or 'none'}")
    prompt = fields.get("text_data")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refusal(400, "text_data must be a string that isn't empty: this project's model reads text")
    return prompt


def _callback_url(value: object, config: SandboxConfig) -> str:
    if not isinstance(value, str) or not value:
        raise Refusal(400, "callback_url is required for an asynchronous text task")
    try:
        parts = urlsplit(value)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise Refusal(400, "callback_url must be an http or https URL")
    if not (config.allow_remote_callbacks or _is_loopback(host)):
        raise Refusal(400, "callback_url must be on this machine: this sandbox doesn't allow remote callbacks")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _options(value: object) -> Mapping[str, object]:
    options = _decoded(value, "options")
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise Refusal(400, "options must be an object")
    return options


def _check_options(options: Mapping[str, object], config: SandboxConfig) -> None:
    check_number(options, "max_tokens", 1, config.max_tokens, is_whole=True, place="options.")
    check_number(options, "temperature", 0, 1, place="options.")
    check_number(options, "top_p", 0, 1, place="options.")
    roles = _decoded(options.get("roles"), "options.roles")
    if roles is None:
        roles = {}
    if not isinstance(roles, dict) or not all(isinstance(name, str) and name for name in roles.values()):
        raise Refusal(400, "options.roles must be an object of names: user, model")
    _check_history(options, {str(roles.get("user", "user")), str(roles.get("model", "model"))})


def check_number(
    fields: Mapping[str, object], name: str, lowest: int, highest: int, *, is_whole: bool = False, place: str = ""
) -> None:
    """Check a number that may be absent.

    Raises:
        Refusal: 400, it is another kind of value, or out of bounds.
    """
    value = fields.get(name)
    if value is None:
        return
    kinds = (int,) if is_whole else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or not lowest <= value <= highest:  # type: ignore[operator]  # is_number says so
        kind = "an integer" if is_whole else "a number"
        raise Refusal(400, f"{place}{name} must be {kind} from {lowest} to {highest}")


def _check_history(options: Mapping[str, object], roles: set[str]) -> None:
    history = _decoded(options.get("prompt_history"), "options.prompt_history")
    if history is None:
        return
    if not isinstance(history, list):
        raise Refusal(400, "options.prompt_history must be a list of {content, role}, oldest first")
    for position, item in enumerate(history):
        if not isinstance(item, dict) or not isinstance(item.get("content"), str):
            raise Refusal(400, f"options.prompt_history[{position}] must have content and role, both strings")
        if item.get("role") not in roles:
            raise Refusal(400, f"options.prompt_history[{position}].role must be one of {', '.join(sorted(roles))}")


def _decoded(value: object, name: str) -> Any:
    """What a form sends as a JSON string, and JSON may send as one."""
    if not isinstance(value, str):
        return value
    try:
        decoded: object = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"{name} is not valid JSON") from error
    return decoded


def _text_or_none(value: object, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Refusal(400, f"{name} must be a string")
    return value
