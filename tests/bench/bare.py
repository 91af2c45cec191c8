"""The service's web server with nothing behind it: the limit for callbacks. `python -m tests.bench.bare --port N`."""

import argparse
from collections.abc import Iterable
from typing import Any

from app import config
from app.cli import serving
from app.config import Settings


def settings() -> Settings:
    """As many threads as the service has by default."""
    return config.load(secret_key="of-the-benchmark")


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Read the body, answer what a callback is answered."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "15")])
    return [b'{"status":"ok"}']


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    serving.serve(application, serving.listen("127.0.0.1", port), settings())  # type: ignore[arg-type]  # any WSGI application
