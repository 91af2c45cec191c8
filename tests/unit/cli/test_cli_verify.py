"""`hivebatch verify`: a manifest that was touched, or results that are not its own, are told."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app import canonicaljson
from app.cli import hivebatch
from app.services.manifests import FORMAT, signed
from app.tokens import ManifestSigner

KEY = "a-secret-key-for-tests-of-32-chars"
TEXTS = {"first": "yes", "second": None, "third": "\u2028ß"}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without an installation, settings of nobody, and a manifest with the results that it speaks of."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HIVEBATCH_")]:
        monkeypatch.delenv(name)
    Path("m").write_text("".join(manifest()))
    Path("r").write_text("".join(results()))


def manifest() -> list[str]:
    lines = [canonicaljson.dumps(entry(name, text)) + "\n" for name, text in TEXTS.items()]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    end = {"format": FORMAT, "batch_id": "batch_1", "jobs": len(lines), "open": 1, "sha256": digest}
    return [*lines, canonicaljson.dumps(signed(ManifestSigner([KEY]), end)) + "\n"]


def entry(name: str, text: str | None) -> dict[str, Any]:
    told = None if text is None else hashlib.sha256(text.encode()).hexdigest()
    return {"custom_id": name, "job_id": f"job_{name}", "state": "completed", "result_sha256": told}


def results() -> list[str]:
    return [result(name, text) for name, text in TEXTS.items()]


def result(name: str, text: str | None) -> str:
    return json.dumps({"custom_id": name, "job_id": f"job_{name}"} | ({} if text is None else {"text": text})) + "\n"


def run(*arguments: str, key: str = KEY) -> Result:
    found = CliRunner(env={"HIVEBATCH_SECRET_KEY": key}).invoke(hivebatch, ["verify", *arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def told(lines: Sequence[str]) -> tuple[int, list[str]]:
    """The exit status and what is told of these results, but for the last line."""
    Path("r").write_text("".join(lines))
    found = run("m", "--results", "r")
    return found.exit_code, found.stdout.splitlines()[:-1]


def test_a_manifest_and_its_results_are_found_good() -> None:
    found = run("m", "--results", "r")
    assert (found.exit_code, found.stdout) == (
        0,
        "batch_1: 3 jobs, 1 of them open; the signature of its last line is good\n",
    )


def test_without_the_key_of_the_service_the_digest_is_still_checked() -> None:
    for key in ("", "b" * 32):
        found = run("m", key=key)
        assert found.exit_code == 0
        assert found.stdout.endswith("the signature can't be checked: its key is not here\n")
    Path("m").write_text("".join([manifest()[0], *manifest()[2:]]))
    found = run("m", key="")
    assert found.exit_code == 1
    assert "it has 2 jobs and should have 3\nit was changed: " in found.stdout


def test_a_last_line_that_was_touched_has_no_good_signature() -> None:
    *lines, end = manifest()
    Path("m").write_text("".join([*lines, end.replace("batch_1", "batch_2")]))
    found = run("m")
    assert (found.exit_code, found.stdout) == (
        1,
        "batch_2: 3 jobs, 1 of them open; the signature of its last line is NOT good\n",
    )


def test_results_that_are_others_are_named() -> None:
    first, second, third = results()
    assert told([result("first", "no"), second, third]) == (1, ["first: this is not its result"])
    assert told([result("first", None), second, third]) == (1, ["first: this is not its result"])
    assert told([first, result("second", "made up"), third]) == (1, ["second: this is not its result"])
    assert told([first, second]) == (1, ["third: its result is missing"])
    assert told([first, third]) == (0, [])  # what has no result may be left out
    unknown = [first, second, third, result("fourth", "x")]
    assert told(unknown) == (1, ["fourth: the manifest does not have it, or the results are not in input order"])


@pytest.mark.parametrize("content", ["", "{", "[]\n", "7\n", '{"job_id": "job_1"}\n'])
def test_what_is_no_manifest_is_told_in_a_line(content: str) -> None:
    Path("m").write_text(content)
    found = run("m", "--results", "r")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("Error: this is no manifest, or these are no results: ")
    assert found.stderr.count("\n") == 1
