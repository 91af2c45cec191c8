"""Prompts as people have them in files: a job a line as JSON, a table, or a prompt a line."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import IO, Any

from app.api.body import Line, lines
from app.api.intake import Values, json_lines
from app.api.problems import Place
from app.api.schemas.inputs import Options
from app.errors import InvalidInput, Problem
from app.services.views import BadLine

_PROMPTS = ("text_data", "prompt", "text")
_NAMES = ("custom_id", "id")
_NUMBERS: Mapping[str, type] = {"max_tokens": int, "temperature": float, "top_p": float}
_OPTIONS = frozenset(Options.model_fields) - {"prompt_history", "roles"}
_DELIMITERS = (",", ";", "\t")


def values(file: IO[bytes], form: str, limit: int) -> Values:
    """The jobs in a file of this form, each with its place; a line has at most `limit` bytes.

    Raises:
        InvalidInput: it is a table without a column of prompts, or with one that nobody knows.
    """
    return FORMS[form](file, limit)


def guess(filename: str, beginning: bytes) -> str:
    """The form of a file by the end of its name, or else by how it begins."""
    suffix = filename.rpartition(".")[2].lower()
    by_name = {"jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv", "tsv": "csv", "txt": "text"}
    if suffix in by_name:
        return by_name[suffix]
    first = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0].decode("utf-8", "replace").strip()
    if first.startswith("{"):
        return "jsonl"
    columns = {column.strip('" ').lower() for column in first.split(_delimiter(first))}
    return "csv" if len(columns) > 1 and columns & {*_PROMPTS} else "text"


def _prompts(file: IO[bytes], limit: int) -> Values:
    """Each line that holds something is a prompt, named by its number."""
    for line in lines(file, limit):
        yield Place(line=line.number), _prompt(line, limit)


def _prompt(line: Line, limit: int) -> object:
    place = Place(line=line.number)
    if line.content is None:
        return BadLine((place.problem(f"A line takes at most {limit} bytes", limit=limit, value=line.size),))
    try:
        return {"custom_id": f"line-{line.number}", "text_data": line.content.decode()}
    except UnicodeDecodeError:
        return BadLine((place.problem("It is not UTF-8"),))


def _table(file: IO[bytes], limit: int) -> Values:
    """A line of column names, then a job a record; a record without a name is named by the number of its last line."""
    csv.field_size_limit(limit)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        header = text.readline()
    except UnicodeDecodeError as error:
        raise InvalidInput([Problem("The table is not UTF-8.", line=1)]) from error
    delimiter = _delimiter(header)
    columns = [column.strip().lower() for column in next(csv.reader([header], delimiter=delimiter), [])]
    prompt, name = _columns(columns)
    return _records(csv.reader(text, delimiter=delimiter), columns, prompt, name)


def _columns(columns: list[str]) -> tuple[str, str | None]:
    """Those of the prompts and of the names."""
    prompt = next((column for column in columns if column in _PROMPTS), None)
    name = next((column for column in columns if column in _NAMES), None)
    if prompt is None:
        words = f"The first line names no column of prompts: {', '.join(_PROMPTS)}."
        raise InvalidInput([Problem(words, line=1, value=", ".join(columns)[:200])])
    unknown = [column for column in columns if column not in {prompt, name, *_OPTIONS}]
    if unknown:
        known = ", ".join(sorted({*_PROMPTS, *_NAMES, *_OPTIONS}))
        raise InvalidInput([Problem("Unknown column.", line=1, limit=known, value=unknown[0][:200])])
    return prompt, name


def _records(reader: Any, columns: list[str], prompt: str, name: str | None) -> Values:
    while True:
        number = reader.line_num + 2  # the first line was read before
        try:
            record = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            words = "It is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"It can't be read: {error}"
            yield Place(line=number), BadLine((Place(line=number).problem(f"{words}; what follows was not read"),))
            return
        if record is None:
            return
        if record:
            yield _record(record, columns, prompt, name, Place(line=reader.line_num + 1))


def _record(record: list[str], columns: list[str], prompt: str, name: str | None, place: Place) -> tuple[Place, object]:
    if len(record) > len(columns):
        problem = place.problem("It has more fields than columns", limit=len(columns), value=len(record))
        return place, BadLine((problem,))
    said = {column: field for column, field in zip(columns, record, strict=False) if field != ""}
    options = {column: _number(column, field) for column, field in said.items() if column in _OPTIONS}
    named = said.get(name or "", f"line-{place.line}")
    return place, {"custom_id": named, "text_data": said.get(prompt, ""), "options": options}


def _number(column: str, field: str) -> object:
    """A field as what its column holds; what is none is left for the rules of jobs to name."""
    try:
        return _NUMBERS.get(column, str)(field)
    except ValueError:
        return field


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


FORMS: Mapping[str, Callable[[IO[bytes], int], Values]] = {"jsonl": json_lines, "csv": _table, "text": _prompts}
