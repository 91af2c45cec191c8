"""The service for WSGI servers, to compare them: `flask` as it is, `bare` with a function in front for callbacks."""

from collections.abc import Iterable
from typing import Any

from app import config, create_app, runtime
from app.errors import HivebatchError
from app.queue import CeleryDoorbell, make_celery
from app.services import callbacks

CALLBACKS = "/callbacks/hive/"

_settings = config.load()
_runtime = runtime.build(_settings, CeleryDoorbell(make_celery(_settings)))
flask = create_app(_runtime)


def bare(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """What `app.api.front` does, for a server that gives each request a thread."""
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] != "POST" or not path.startswith(CALLBACKS):
        return flask(environ, start_response)
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    try:
        callbacks.receive(_runtime, path.removeprefix(CALLBACKS), body)
    except HivebatchError:
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return [b""]
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "11")])
    return [b'{"ok":true}']
