"""What stands in the repository's files: what must not be written down, and what has to be."""

import io
import re
import tokenize
import tomllib
from functools import cache

import pytest

from app.config import SECRETS, Settings
from app.services.doctor import OF_BODIES
from app.store import invariants
from tests.project import ROOT, document, tracked


def _any(*words: str) -> str:
    """A pattern for any of these words. Each is written in pieces, so that this file does not find itself."""
    return r"\b(?:" + "|".join(word.replace("~", "") for word in words) + r")\b"


FORBIDDEN = {
    "a path as a URL": r"\bfile:(?:/|\.)",
    "a registry": _any(r"pypi\.org", r"pythonhosted\.\w+", r"npmjs\.\w+", r"crates\.io", r"rubygems\.org"),
    "an index option": r"(?<![\w-])--(?:extra-)?index-url\b",
    "a path of one machine": r"/(?:work|root)/|/hom[e]/(?!hivebatch\b)",  # the image has a user of its own
    "a folder outside": r"\.\./share[d]",
    "an open end": _any("TO~DO", "FIX~ME", "X~XX"),
    "who typed it": _any("A~I", "(?i:clau~de|anthro~pic|chat~gpt|co~pilot|sub-?ag~ents?)"),
    "how it came about": "(?i)" + _any("work ses~sion", r"this ses~sion \w+ed", "co-auth~ored-by"),
    "who asked for it": "(?i)" + _any(r"the (?:issue|brief|instructions?) (?:says?|asks?|wants?)", r"issue #?\d+"),
    "a document that is not here": _any(r"house-~style\.md", r"desi~gn\.md", r"hive-~contract\.md"),
}


# --- what must not be written down ---


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        if path.suffix != ".png"  # no words there, but bytes that may look like any
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


SEEN = {
    "a path as a URL": ["file:" + path for path in ("///x", "../x", "./x", "/x")],
    "a registry": ["https://pypi" + ".org/simple", "files.python" + "hosted.org"],
    "an index option": ["pip --index" + "-url x", "pip --extra-index" + "-url=x"],
    "a path of one machine": ["/wo" + "rk/main", "/ro" + "ot/.cache", "/ho" + "me/someone/x"],
    "who typed it": ["written by A" + "I", "Clau" + "de", "a sub" + "agent"],
    "who asked for it": ["as the issue " + "says", "see issue" + " 2", "iss" + "ue #12"],
}
UNSEEN = {
    "a path as a URL": ["file: IO[bytes]", "the file: a name", "profile:/x"],
    "an index option": ["uv pip compile --no-emit-index" + "-url"],
    "a path of one machine": ["WORKDIR /home/hivebatch", "/network/x"],
    "who typed it": ["OpenAI", "https://api.thehive.ai", "assistant"],
    "who asked for it": ["an issue of trust"],
}


@pytest.mark.parametrize("what", SEEN)
def test_the_search_finds_what_it_looks_for_and_nothing_else(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    assert all(pattern.search(text) for text in SEEN[what])
    assert not [text for text in UNSEEN.get(what, ()) if pattern.search(text)]


LOCKS = [*ROOT.glob("requirements*.txt"), *(ROOT / "tests/e2e/environments").glob("*.txt")]


def test_whatever_is_installed_is_locked() -> None:
    assert {path.name for path in LOCKS} == {
        *(f"requirements{part}.txt" for part in ("", "-dev", "-fast", "-build")),
        *(f"{name}.txt" for name in ("openai-1", "openai-2", "openai-3", "schemathesis")),
    }


@pytest.mark.parametrize("name", [path.relative_to(ROOT).as_posix() for path in LOCKS])
def test_a_locked_requirement_is_a_name_a_version_and_hashes(name: str) -> None:
    pin = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==[^\s:/@]+( ; [^:/@]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if not (pin.fullmatch(line) or digest.fullmatch(line))] == []
    assert not re.search(r"://|\bwww\.", (ROOT / name).read_text())


def test_the_extra_is_what_is_locked_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["optional-dependencies"]["fast"] == project["dependency-groups"]["fast"]
    assert {"include-group": "fast"} in project["dependency-groups"]["dev"], "the tests need it"


# --- exceptions to the rules say why ---


@cache
def comments() -> tuple[tuple[str, str], ...]:
    """Every comment of every Python file, with its place."""
    return tuple(
        (f"{path.relative_to(ROOT)}:{token.start[0]}", token.string)
        for path in tracked()
        if path.suffix == ".py"
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.COMMENT
    )


def test_every_ignored_type_has_a_code_and_a_reason() -> None:
    good = re.compile(r"# type: ignore\[[a-z-]+(, ?[a-z-]+)*\]  # \S.{4,}")
    bare = [f"{place}: {said}" for place, said in comments() if "type: ignore" in said and not good.search(said)]
    assert not bare, "\n".join(bare)


def test_every_ignored_rule_has_a_code_and_a_reason() -> None:
    good = re.compile(r"# noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*( - |  # )\S.{4,}")
    bare = [f"{place}: {said}" for place, said in comments() if re.search(r"\bnoqa\b", said) and not good.search(said)]
    assert not bare, "\n".join(bare)


def test_no_line_and_no_file_is_left_out_of_the_coverage() -> None:
    assert not [place for place, said in comments() if re.search(r"pragma:\s*no\s*(cover|branch)", said)]
    configured = (ROOT / "pyproject.toml").read_text().partition("[tool.coverage.run]")[2].partition("[tool.deptry]")[0]
    assert "fail_under = 90" in configured
    assert not re.search(r"omit|exclude", configured)


# --- the documents say what the code says ---


def as_shown(value: object) -> str:
    """A default as the table has it: empty for none, numbers without a point where they can."""
    if value is None or value == ():
        return ""
    return f"`{value:.12g}`" if isinstance(value, float) else f"`{value}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_readme_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    row = f"| `HIVEBATCH_{name.upper()}` | {as_shown(field.default)} | {field.description} |"
    assert row in document("README.md").splitlines()


@pytest.mark.parametrize("promised", [*((each.name, each.promise) for each in invariants.ALL), *OF_BODIES.items()])
def test_every_invariant_stands_in_the_documents_with_its_promise(promised: tuple[str, str]) -> None:
    assert "| `{}` | {} | ".format(*promised) in document("docs/reliability.md")


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    known = {f"HIVEBATCH_{name.upper()}" for name in Settings.model_fields}
    known |= {f"HIVEBATCH_{name.upper()}_FILE" for name in SECRETS}
    known |= set(re.findall(r'"(HIVEBATCH_[A-Z_]+)"', (ROOT / "app/cli/client.py").read_text()))
    documents = [path for path in tracked() if path.suffix in {".md", ".yml"} or path.name in {"Procfile", "Makefile"}]
    named = {name for path in documents for name in re.findall(r"\bHIVEBATCH_[A-Z_]*[A-Z]\b", path.read_text())}
    assert named
    assert named - known == set()
