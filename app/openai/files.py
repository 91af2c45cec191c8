"""Files in OpenAI's words: upload, look, fetch, delete."""

from flask import Blueprint, Response, request

from app.api import render
from app.api.context import owner, runtime
from app.api.operations import BYTES, Answer
from app.openai.lines import written
from app.openai.operations import declare
from app.openai.reading import query
from app.openai.schemas import (
    ContentQuery,
    FileListQuery,
    OpenAiFile,
    OpenAiFileDeleted,
    OpenAiFileList,
    OpenAiUpload,
    seconds,
    seconds_or_none,
)
from app.openai.uploads import MULTIPART, read_upload
from app.services import fileids, filelists, files, resultfiles
from app.services.views import FileView

blueprint = Blueprint("openai_files", __name__)


@blueprint.post("/files")
@declare(
    summary="Upload a file",
    bodies={MULTIPART: OpenAiUpload},
    needs_body=True,
    answers={200: Answer("It is stored.", OpenAiFile)},
    problems=(413,),
)
def upload_file() -> Response:
    """Store a file."""
    new, content = read_upload(request, runtime().settings, owner())
    return render.answer(_shown(files.store(runtime(), new, content)))


@blueprint.get("/files")
@declare(
    summary="List files, the newest first or last",
    query=FileListQuery,
    answers={200: Answer("One page.", OpenAiFileList)},
)
def list_files() -> Response:
    """One page of the owner's files, results of batches that have ended among them."""
    said = query(FileListQuery)
    page = filelists.page(
        runtime(), owner(), purpose=said.purpose, after=said.after, limit=said.limit, order=said.order
    )
    data = [_shown(view) for view in page.items]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    has_more = page.next_cursor is not None
    return render.answer(OpenAiFileList(data=data, has_more=has_more, first_id=first, last_id=last))


@blueprint.get("/files/<file>")
@declare(
    summary="See one file",
    is_long=True,
    answers={200: Answer("The file.", OpenAiFile)},
    problems=(404,),
)
def get_file(file: str) -> Response:
    """One file; of results, the size is counted by reading them."""
    return render.answer(_shown(fileids.find(runtime(), owner(), file), _size(file)))


@blueprint.delete("/files/<file>")
@declare(
    summary="Delete a file; batches that were made from it have their own copy",
    answers={200: Answer("It is gone.", OpenAiFileDeleted)},
    problems=(404,),
)
def delete_file(file: str) -> Response:
    """Delete a file."""
    fileids.delete(runtime(), owner(), file)
    return render.answer(OpenAiFileDeleted(id=file))


@blueprint.get("/files/<file>/content")
@declare(
    summary="Fetch what is in a file; results of a batch also while it runs",
    query=ContentQuery,
    is_long=True,
    answers={200: Answer("A stream.", media_type=BYTES)},
    problems=(404,),
)
def get_file_content(file: str) -> Response:
    """The bytes of a file, written as they are read."""
    offset = query(ContentQuery).offset
    file_id, kind = fileids.read(file)
    if kind is None:
        view = files.get(runtime(), owner(), file_id)
        headers = {"Content-Length": str(view.bytes)}
        return Response(files.pieces(runtime(), file_id), headers=headers, content_type=BYTES)
    found = resultfiles.read(runtime(), owner(), file_id, kind, offset)
    headers = {"X-Incomplete": "false" if found.is_complete else "true", "X-Last-Line": str(found.last_line)}
    return Response(written(found.lines), headers=headers, content_type=BYTES)


def _size(file: str) -> int | None:
    file_id, kind = fileids.read(file)
    if kind is None:
        return None
    return sum(len(line) for line in written(resultfiles.read(runtime(), owner(), file_id, kind).lines))


def _shown(view: FileView, size: int | None = None) -> OpenAiFile:
    return OpenAiFile(
        id=view.id,
        bytes=view.bytes or size or 0,
        created_at=seconds(view.created_at),
        expires_at=seconds_or_none(view.expires_at),
        filename=view.filename,
        purpose=view.purpose,
    )
