"""Serve the page that compares classifiers on a picture: `python app.py`."""

import logging
import os
import sys
import tempfile

from demo.settings import QUIET, read_settings
from hub_models import ConfigError
from hub_models.client import proxy_fault
from hub_models.machine import temporary_folder


def main() -> None:
    """Read the settings, load the models, serve the page until SIGTERM or Ctrl-C."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for ours in ("__main__", "demo", "hub_models"):  # others' news is not for this log
        logging.getLogger(ours).setLevel(logging.INFO)
    try:
        settings, temporary = read_settings(os.environ), temporary_folder()
        if fault := proxy_fault():  # gradio makes a client while it is imported
            raise ConfigError(fault)
    except ConfigError as error:
        sys.exit(f"app.py: {error}")
    with tempfile.TemporaryDirectory(prefix="hub-models-demo-", dir=temporary) as uploads:
        os.environ.update(QUIET, GRADIO_TEMP_DIR=uploads)
        from demo.server import build_app, serve  # after the environment: they import gradio
        from demo.service import Service

        service = Service(settings)
        service.preload()
        try:
            serve(build_app(service, settings), settings, service)
        except (ConfigError, OSError) as error:  # an extra is missing; the port is taken
            sys.exit(f"app.py: {error}")


if __name__ == "__main__":
    main()
