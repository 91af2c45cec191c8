"""Files in OpenAI's words: upload, list, fetch, delete, expire."""

import io

import pytest
import sqlalchemy
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.models import file_pieces
from app.models import files as file_table
from app.runtime import Runtime
from app.services import files, keys
from app.services.views import NewFile
from tests.conftest import MakeRuntime
from tests.factories import interposed, sweep
from tests.integration.conformance import checked_client
from tests.integration.openai_client import OpenAi, fault_of, line
from tests.integration.rest import Hive, body_of

LARGE = bytes(range(256)) * 10_000


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> OpenAi:
    return OpenAi(client, api_key)


@pytest.fixture
def hive(runtime: Runtime, client: FlaskClient) -> Hive:
    return Hive(runtime, client)


def rows(runtime: Runtime, table: sqlalchemy.Table) -> int:
    with runtime.database.reading() as connection:
        return connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)).scalar_one()


def test_an_uploaded_file_is_processed_at_once_and_comes_back_byte_for_byte(api: OpenAi) -> None:
    response = api.upload(LARGE, filename="prompts.jsonl")
    file = body_of(response)
    assert response.status_code == 200
    assert response.headers["x-request-id"].startswith("req_")
    assert (file["object"], file["status"], file["purpose"]) == ("file", "processed", "batch")
    assert (file["bytes"], file["filename"], file["expires_at"]) == (len(LARGE), "prompts.jsonl", None)
    assert file["id"].startswith("file-")
    assert body_of(api.get(f"/v1/files/{file['id']}")) == file
    content = api.get(f"/v1/files/{file['id']}/content", headers={"Accept": "application/binary"})
    assert content.data == LARGE
    assert content.headers["Content-Length"] == str(len(LARGE))
    assert content.content_type == "application/octet-stream"


def test_a_file_is_kept_in_pieces_of_a_megabyte(api: OpenAi, runtime: Runtime) -> None:
    api.uploaded(LARGE)
    assert rows(runtime, file_pieces) == 3


@pytest.mark.parametrize("content", [b"", b"x", b"x" * files.PIECE_BYTES])
def test_a_file_may_end_anywhere(api: OpenAi, content: bytes) -> None:
    file_id = api.uploaded(content)
    assert api.get(f"/v1/files/{file_id}/content").data == content
    assert body_of(api.get(f"/v1/files/{file_id}"))["bytes"] == len(content)


def test_a_part_that_is_named_upload_and_has_no_extension_is_a_file(api: OpenAi) -> None:
    assert body_of(api.upload(b"x", filename="upload"))["filename"] == "upload"


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
def test_every_purpose_of_uploads_is_taken(api: OpenAi, purpose: str) -> None:
    assert body_of(api.upload(b"x", purpose=purpose))["purpose"] == purpose


def test_other_purposes_and_missing_files_are_refused(api: OpenAi) -> None:
    assert fault_of(api.upload(b"x", purpose="batch_output")) == (400, "invalid_value", "purpose")
    nothing = api.call("POST", "/v1/files", data={"purpose": "batch"}, content_type="multipart/form-data")
    assert fault_of(nothing) == (400, "missing_required_parameter", "file")
    assert fault_of(api.post("/v1/files", {})) == (400, "missing_required_parameter", "file")
    expiry = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "1"}
    assert fault_of(api.upload(b"x", **expiry)) == (400, "invalid_value", "expires_after[seconds]")
    for half, other in (("anchor", "seconds"), ("seconds", "anchor")):
        said = {f"expires_after[{half}]": "created_at" if half == "anchor" else "3600"}
        missing = (400, "missing_required_parameter", f"expires_after[{other}]")
        assert fault_of(api.upload(b"x", **said)) == missing


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(max_body_bytes=1000)
    api = OpenAi(checked_client(create_app(runtime)), keys.create(runtime, "alice", "tests").secret)
    assert fault_of(api.upload(b"x" * 1001))[0] == 413
    assert rows(runtime, file_table) == 0
    assert api.upload(b"x" * 1000).status_code == 200


def test_a_deleted_file_is_gone_at_once_and_its_pieces_with_the_next_sweep(api: OpenAi, runtime: Runtime) -> None:
    file_id = api.uploaded(LARGE)
    assert body_of(api.call("DELETE", f"/v1/files/{file_id}")) == {"id": file_id, "object": "file", "deleted": True}
    for path in (f"/v1/files/{file_id}", f"/v1/files/{file_id}/content"):
        assert api.get(path).status_code == 404
    assert api.call("DELETE", f"/v1/files/{file_id}").status_code == 404
    assert body_of(api.get("/v1/files"))["data"] == []
    sweep(runtime)
    assert (rows(runtime, file_pieces), rows(runtime, file_table)) == (0, 0)


def test_a_file_of_many_pieces_is_removed_a_chunk_a_sweep(api: OpenAi, runtime: Runtime) -> None:
    file_id = api.uploaded(b"x" * 10 * files.PIECE_BYTES)
    api.call("DELETE", f"/v1/files/{file_id}")
    sweep(runtime)
    assert rows(runtime, file_pieces) == 2
    sweep(runtime)
    assert rows(runtime, file_table) == 0


def test_a_file_expires_when_its_time_is_over(api: OpenAi, runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    file = body_of(api.upload(b"x", **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}))
    assert file["expires_at"] == file["created_at"] + 3600
    clock.tick(3599)
    assert api.get(f"/v1/files/{file['id']}").status_code == 200
    clock.tick(1)
    assert api.get(f"/v1/files/{file['id']}").status_code == 404
    sweep(runtime)
    assert rows(runtime, file_table) == 0


def test_an_upload_that_breaks_off_is_never_seen_and_swept_an_hour_later(
    api: OpenAi, runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    def break_off() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        files.store(interposed(runtime, before={3: break_off}), NewFile("alice", "x", "batch"), io.BytesIO(LARGE))
    assert rows(runtime, file_pieces) == 3
    assert body_of(api.get("/v1/files"))["data"] == []
    clock.tick(3500)
    sweep(runtime)
    assert rows(runtime, file_pieces) == 3
    clock.tick(101)
    sweep(runtime)
    sweep(runtime)
    assert (rows(runtime, file_pieces), rows(runtime, file_table)) == (0, 0)


def test_pages_of_files_hold_each_once_and_say_exactly_whether_there_are_more(api: OpenAi) -> None:
    made = [api.uploaded(b"x") for _ in range(3)]
    seen, after = [], {}
    while True:
        page = body_of(api.get("/v1/files", query_string={"limit": "1"} | after))
        (file,) = page["data"]
        assert page["first_id"] == page["last_id"] == file["id"]
        seen.append(file["id"])
        if not page["has_more"]:
            break
        after = {"after": file["id"]}
    assert seen == made[::-1]
    oldest_first = body_of(api.get("/v1/files", query_string={"order": "asc", "limit": "2"}))
    assert [file["id"] for file in oldest_first["data"]] == made[:2]
    assert oldest_first["has_more"]
    rest = body_of(api.get("/v1/files", query_string={"order": "asc", "limit": "2", "after": made[1]}))
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == (made[2:], False)


def test_a_page_goes_on_behind_a_file_that_was_deleted_meanwhile(api: OpenAi, runtime: Runtime) -> None:
    first, second, third = (api.uploaded(b"x") for _ in range(3))
    api.call("DELETE", f"/v1/files/{second}")
    sweep(runtime)
    page = body_of(api.get("/v1/files", query_string={"after": second}))
    assert [file["id"] for file in page["data"]] == [first]
    assert third not in str(page)


def test_an_empty_list_has_no_first_and_no_last(api: OpenAi) -> None:
    empty = {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
    assert body_of(api.get("/v1/files")) == body_of(api.get("/v1/batches")) == empty


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"after": "file-none"}, "after"),
        ({"after": f"file-{'0' * 32}"}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "10001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"order": "up"}, "order"),
        ({"purpose": "a\x00"}, "purpose"),
    ],
)
def test_a_wrong_parameter_of_a_list_is_named(api: OpenAi, query: dict[str, str], param: str) -> None:
    response = api.get("/v1/files", query_string=query)
    assert (response.status_code, body_of(response)["error"]["param"]) == (400, param)


def test_unknown_parameters_and_empty_ones_are_ignored(api: OpenAi) -> None:
    file_id = api.uploaded(b"x")
    page = body_of(api.get("/v1/files", query_string={"after": "", "foo": "1"}))
    assert [file["id"] for file in page["data"]] == [file_id]


def test_results_are_listed_beside_uploads_once_their_batch_has_ended(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"), line("b", tools=[{}]))
    assert [file["purpose"] for file in body_of(api.get("/v1/files"))["data"]] == ["batch"]
    hive.answer_all("hi")
    listed = body_of(api.get("/v1/files", query_string={"purpose": "batch_output"}))["data"]
    ended = api.batch(batch["id"])
    assert [file["id"] for file in listed] == [ended["output_file_id"], ended["error_file_id"]]
    assert [file["purpose"] for file in listed] == ["batch_output"] * 2
    assert len(body_of(api.get("/v1/files"))["data"]) == 3
    assert [each["purpose"] for each in body_of(api.get("/v1/files", query_string={"purpose": "batch"}))["data"]] == [
        "batch"
    ]


def test_a_deleted_result_file_is_gone_and_the_results_stay(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"))
    hive.answer_all("hi")
    output = api.batch(batch["id"])["output_file_id"]
    assert body_of(api.call("DELETE", f"/v1/files/{output}"))["deleted"]
    assert api.get(f"/v1/files/{output}/content").status_code == 404
    assert api.call("DELETE", f"/v1/files/{output}").status_code == 404
    assert api.batch(batch["id"])["output_file_id"] is None
    assert [file["purpose"] for file in body_of(api.get("/v1/files"))["data"]] == ["batch"]
    assert [each["text"] for each in api.results(batch["id"])] == ["hi"]


def test_a_file_of_another_owner_is_not_there(api: OpenAi, runtime: Runtime, client: FlaskClient, hive: Hive) -> None:
    batch = api.made(line("a"))
    hive.answer_all("hi")
    output = api.batch(batch["id"])["output_file_id"]
    mallory = OpenAi(client, keys.create(runtime, "mallory", "test").secret)
    for file_id in (batch["input_file_id"], output):
        assert mallory.get(f"/v1/files/{file_id}").status_code == 404
        assert mallory.get(f"/v1/files/{file_id}/content").status_code == 404
        assert mallory.call("DELETE", f"/v1/files/{file_id}").status_code == 404
    assert body_of(mallory.get("/v1/files"))["data"] == []
    stolen = body_of(mallory.create(batch["input_file_id"]))
    assert (stolen["status"], stolen["errors"]["data"][0]["param"]) == ("failed", "file_id")
