"""Reads a V3 request the way the vendor does: a chat/completions body in, a valid `Chat` or an error out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.sandbox.config import SandboxConfig
from app.sandbox.refusals import Refusal
from app.sandbox.submissions import Submission, check_number

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Chat:
    """A valid request."""

    model: str
    max_tokens: int
    is_streamed: bool
    submission: Submission
    """What the dice, the ledger and the answer go by: the last user turn as the prompt of a sync task."""


def read_chat(fields: Mapping[str, object], config: SandboxConfig) -> Chat:
    """Check the fields of a request.

    Raises:
        Refusal: 400, with a message that names the field and the rule; 404, the model isn't served here.
    """
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "model is required")
    if model not in config.models:
        raise Refusal(404, f"The model {model} does not exist")
    check_number(fields, "max_tokens", 1, config.max_tokens, is_whole=True)
    check_number(fields, "temperature", 0, 2)
    check_number(fields, "top_p", 0, 1)
    turns = _turns(fields.get("messages"))
    if sum(len(text) for _, text in turns) > config.max_characters:
        raise Refusal(400, f"the messages are longer than the model's context, {config.max_characters} characters")
    max_tokens = fields.get("max_tokens")
    return Chat(
        model=model,
        max_tokens=max_tokens if isinstance(max_tokens, int) else config.max_tokens,
        is_streamed=fields.get("stream") is True,
        submission=Submission(_prompt(turns), None, None, _system_prompt(turns), _forwarded(fields)),
    )


def _forwarded(fields: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in fields.items() if name not in ("model", "stream", "stream_options")}


def _turns(messages: object) -> Sequence[tuple[str, str]]:
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "messages must be a list of {role, content} that isn't empty")
    return [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _turn(message: object, name: str) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(message, dict) or role not in ROLES:
        raise Refusal(400, f"{name}.role must be one of {', '.join(ROLES)}")
    return role, _text(message.get("content"), f"{name}.content")


def _text(content: object, name: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Refusal(400, f"{name} must be a string or a list of parts")
    return "".join(_part(part, f"{name}[{index}]") for index, part in enumerate(content))


def _part(part: object, name: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or kind not in ("text", "image_url") or kind not in part:
        raise Refusal(400, f"{name} must have a type, text or image_url, and what it names")
    return str(part["text"]) if kind == "text" else ""


def _prompt(turns: Sequence[tuple[str, str]]) -> str:
    prompt = next((text for role, text in reversed(turns) if role == "user"), "")
    if not prompt.strip():
        raise Refusal(400, "messages must hold a user's, with text")
    return prompt


def _system_prompt(turns: Sequence[tuple[str, str]]) -> str | None:
    return next((text for role, text in turns if role == "system"), None)
