"""The echo through a proxy that ends TLS, as most installations have one: whether it is trusted decides."""

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from freezegun.api import FrozenDateTimeFactory
from werkzeug import Request, Response
from werkzeug.serving import make_server

from app import create_app
from app.outbound.echoes import Outside
from app.runtime import Runtime
from app.services import installation
from tests.certificates import certificate_for
from tests.conftest import MakeRuntime
from tests.factories import drain, held, states, submit, sweep
from tests.integration.browsers import logged_in
from tests.unit.providers.servers import tls_with


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_for("IP:127.0.0.1", tmp_path / "public.pem")


@pytest.fixture
def behind_tls(make_runtime: MakeRuntime, certificate: Path) -> Iterator[Runtime]:
    """A runtime whose public URL is that of a proxy which speaks TLS; behind it, its web process speaks plain HTTP."""
    plain: list[str] = []

    @Request.application
    def proxy(request: Request) -> Response:
        answer = requests.request(request.method, plain[0] + request.full_path, timeout=10)
        return Response(answer.content, answer.status_code, content_type=answer.headers["Content-Type"])

    with serving(proxy, ssl_context=tls_with(certificate)) as port:
        runtime = make_runtime(echo="on", public_url=f"https://127.0.0.1:{port}")
        with serving(create_app(runtime)) as own_port:
            plain.append(f"http://127.0.0.1:{own_port}")
            yield replace(runtime, outside=Outside())


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[int]:
    """The port on which an app is served meanwhile."""
    server = make_server("127.0.0.1", 0, app, threaded=True, **options)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_echo_comes_back_through_a_proxy_whose_certificate_is_trusted(
    behind_tls: Runtime, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    batch_id = submit(behind_tls, "a")
    sweep(behind_tls)
    drain(behind_tls)
    assert (held(behind_tls), states(behind_tls, batch_id)) == ((), ["waiting"])
    told = {each.name: each.detail for each in installation.check(behind_tls)}["echo"]
    assert f"back from {behind_tls.settings.public_url}, asked for" in told


def test_a_certificate_that_nobody_trusts_holds_everything_and_is_told_until_it_is(
    behind_tls: Runtime, certificate: Path, monkeypatch: pytest.MonkeyPatch, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(behind_tls, "a")
    sweep(behind_tls)
    drain(behind_tls)
    assert ([hold.reason for hold in held(behind_tls)], states(behind_tls, batch_id)) == (["echo_failed"], ["queued"])
    checks = {each.name: each for each in installation.check(behind_tls)}
    assert (checks["holds"].is_ok, checks["echo"].is_ok) == (False, False)
    with logged_in(behind_tls) as browser:
        page = html.unescape(browser.get("/admin/").text)
    for told in (checks["holds"].detail, page):
        assert f"GET {behind_tls.settings.public_url}/callbacks/echo/...: " in told
        assert "CERTIFICATE_VERIFY_FAILED" in told
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    clock.tick(2)
    sweep(behind_tls)
    drain(behind_tls)
    assert (held(behind_tls), states(behind_tls, batch_id)) == ((), ["waiting"])
