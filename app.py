"""Serve the page that compares two classifiers on a picture: `python app.py`."""

import logging
import os
import signal
import sys
import tempfile

from demo.settings import QUIET, read_settings
from hub_models import ConfigError


def main() -> None:
    """Read the settings, load the models, serve the page until Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read_settings(os.environ)
    except ConfigError as error:
        sys.exit(f"app.py: {error}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that uploads are deleted
    with tempfile.TemporaryDirectory(prefix="hub-models-demo-") as uploads:
        os.environ.update(QUIET, GRADIO_TEMP_DIR=uploads)
        from demo.service import Service  # after the environment: they import gradio
        from demo.ui import build_page, serve

        service = Service(settings)
        service.preload()
        page = build_page(
            service.compare,
            service.is_fetching,
            settings=settings,
            choices=service.choices,
            defaults=service.defaults,
        )
        try:
            serve(page, settings)
        except OSError as error:  # the port is taken
            sys.exit(f"app.py: {error}")


if __name__ == "__main__":
    main()
