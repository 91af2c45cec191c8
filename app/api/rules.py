"""What a job must keep to beyond its shape: bounds that are settings, and roles that must be known."""

from collections.abc import Iterator

from app.api.problems import Place
from app.api.schemas.inputs import JobIn, Options
from app.config import Settings
from app.errors import Problem

KNOWN_ROLES = frozenset({"user", "model", "assistant"})


def problems_of_job(job: JobIn, settings: Settings, place: Place) -> Iterator[Problem]:
    """What is wrong with a job whose options hold the batch's defaults."""
    yield from problems_of_options(job.options, settings, place)
    yield from _unknown_roles(job.options, place)
    yield from _too_long(job, settings.max_text_chars, place)


def problems_of_options(options: Options, settings: Settings, place: Place) -> Iterator[Problem]:
    """What is wrong with options, a job's or a batch's, whatever they are merged with."""
    limit = settings.most_output_tokens
    if options.max_tokens is not None and options.max_tokens > limit:
        message = f"Input should be less than or equal to {limit}"
        yield place.problem(message, "options", "max_tokens", limit=limit, value=options.max_tokens)


def _unknown_roles(options: Options, place: Place) -> Iterator[Problem]:
    known = KNOWN_ROLES | (options.roles.names if options.roles else frozenset())
    for index, message in enumerate(options.prompt_history or ()):
        if message.role in known and message.role != "system":
            continue
        words = (
            "The role 'system' is not part of a history; use options.system_prompt instead"
            if message.role == "system"
            else "Unknown role; name it in options.roles if it stands for one of the two"
        )
        limit = ", ".join(sorted(known))
        yield place.problem(words, "options", "prompt_history", index, "role", limit=limit, value=message.role)


def _too_long(job: JobIn, limit: int, place: Place) -> Iterator[Problem]:
    if len(job.text_data) > limit:
        words = f"The prompt has {len(job.text_data)} characters; at most {limit} are allowed"
        yield place.problem(words, "text_data", limit=limit, value=len(job.text_data))
    elif (total := _characters(job)) > limit:
        words = f"Prompt, system prompt and history have {total} characters together; at most {limit} are allowed"
        yield place.problem(words, limit=limit, value=total)


def _characters(job: JobIn) -> int:
    # The names of the roles count, or a history of empty turns could be of any length.
    history = sum(len(message.role) + len(message.content) for message in job.options.prompt_history or ())
    return len(job.text_data) + len(job.options.system_prompt or "") + history
