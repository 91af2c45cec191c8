"""The service's web server with nothing behind it: the limit for callbacks. `python -m tests.bench.bare --port N`."""

import argparse

from app.api.asgi import Receive, Scope, Send
from app.cli import serving


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, answer what a callback is answered."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"ok"}'})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    serving.Server(application).answer(serving.listen("127.0.0.1", parser.parse_args().port))
