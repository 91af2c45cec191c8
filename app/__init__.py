"""Hivebatch: dependable batches of prompts on APIs that answer by callback."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.runtime import Runtime


def create_app(runtime: "Runtime") -> "Flask":
    """The web application over this runtime: REST in its two faces, callbacks and the admin page."""
    # Not above: whoever imports a part of this package, a worker for one, would load the web, and keep it in memory.
    from flask import Flask  # noqa: PLC0415 - see above

    from app.admin import register_admin  # noqa: PLC0415 - see above
    from app.api import register_api  # noqa: PLC0415 - see above
    from app.api.gate import Gate  # noqa: PLC0415 - see above
    from app.openai import register_openai  # noqa: PLC0415 - see above

    app = Flask("app", static_folder=None, template_folder=None)
    app.extensions["hivebatch"] = runtime
    app.extensions["gate"] = Gate(runtime.waiting)
    app.secret_key = runtime.settings.secret_keys[0]
    app.config["SECRET_KEY_FALLBACKS"] = list(runtime.settings.secret_keys[1:])
    register_api(app)
    register_openai(app)
    register_admin(app)
    return app
