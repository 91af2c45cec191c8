"""Choosing: which provider a batch goes to, by its name or by a model, and what of a job that one can't do."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.chat import problems_in_v2
from app.config import Settings
from app.errors import InvalidInput, Problem
from app.provider_settings import ProviderSettings
from app.services.views import NewJob


class Choice:
    """The provider of one batch: that of its name or model or, if it has neither, that of its first job's model."""

    def __init__(
        self, settings: Settings, name: str | None, defaults: Mapping[str, object], *, fallback: str | None = None
    ) -> None:
        """`defaults` are the options of the batch; `fallback` names the provider that is to stand in for the other.

        Raises:
            InvalidInput: there is no such provider, or none with this model.
        """
        self._settings = settings
        self._defaults = defaults
        self._fallback = None if fallback is None else _named(settings, fallback, "/fallback_provider")
        model = _model(defaults)
        self._made = None if name is None and model is None else provider_for(settings, name, model)

    @property
    def provider(self) -> ProviderSettings:
        """The one that is chosen; the default one until something has decided."""
        return self._made or self._settings.every_provider[self._settings.default_provider]

    def made(self, model: str | None) -> ProviderSettings:
        """The one that is chosen, by this model of its first job if nothing else has decided.

        Raises:
            InvalidInput: nobody has the model; nothing is decided.
        """
        self._made = self._made or provider_for(self._settings, None, model)
        return self._made

    def problems_of(self, job: NewJob) -> Iterator[Problem]:
        """What of this job the provider can't do; of one with a fault, that is known. The first job may decide."""
        try:
            provider = self.made(_model(job.options))
        except InvalidInput as error:
            return iter([_placed(problem, job) for problem in error.problems])
        return iter(()) if job.fault else self._faults(provider, job)

    def _faults(self, provider: ProviderSettings, job: NewJob) -> Iterator[Problem]:
        """The fallback has to be able to do it too, with a model of its own where it has none of that name."""
        model = _model({**self._defaults, **job.options})
        if model is not None and not self._settings.takes(provider, model):
            words = f"The provider {provider.name} has no such model; a batch goes to one provider"
            yield _placed(Problem(words, "/options/model", limit=", ".join(provider.serves), value=model), job)
        found = tuple(problems_of(provider, job, self._defaults))
        if not found and self._fallback is not None:
            found = tuple(problems_of(self._fallback, job, self._defaults))
        yield from found


def _model(options: Mapping[str, object]) -> str | None:
    model = options.get("model")
    return None if model is None else str(model)


def provider_for(settings: Settings, name: str | None, model: str | None) -> ProviderSettings:
    """The provider of this name; without a name, the first that has the model; with neither, the default one.

    Raises:
        InvalidInput: there is none.
    """
    if name is not None:
        return _named(settings, name, "/provider")
    if model is None:
        return settings.every_provider[settings.default_provider]
    provider = settings.provider_of(model)
    if provider is None:
        words = f"Unknown model; known: {', '.join(sorted(settings.served))}."
        raise InvalidInput([Problem(words, "/options/model", value=model[:200], code="model_not_found")])
    return provider


def _named(settings: Settings, name: str, pointer: str) -> ProviderSettings:
    known = settings.every_provider
    if name not in known:
        raise InvalidInput([Problem(f"Unknown provider; known: {', '.join(sorted(known))}.", pointer, value=name)])
    return known[name]


def problems_of(provider: ProviderSettings, job: NewJob, defaults: Mapping[str, Any]) -> Iterator[Problem]:
    """What of a job, whose options stand above the `defaults`, this provider can't do, whatever its models are."""
    options = {**defaults, **job.options}
    for problem in _problems(provider, job.text_data, options):
        yield _placed(problem, job)


def _placed(problem: Problem, job: NewJob) -> Problem:
    return replace(problem, pointer=f"{job.pointer}{problem.pointer or ''}", line=job.line)


def _problems(provider: ProviderSettings, text_data: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    limit = provider.max_output_tokens
    if options.get("max_tokens", 0) > limit:
        words = f"Input should be less than or equal to {limit}"
        yield Problem(words, "/options/max_tokens", limit=limit, value=options["max_tokens"])
    if provider.kind == "hive_v2":
        yield from problems_in_v2(text_data, options)
