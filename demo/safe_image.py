"""gr.Image that hands over the path of the uploaded file, checked, and decodes nothing.

Gradio writes a .pyi beside this module for the class; it is not committed.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from demo.text import NOT_AN_UPLOAD


class SafeImage(gr.Image):  # type: ignore[misc]  # gradio is not typed here
    """An image input whose value is the uploaded file itself, as a path.

    gr.Image decodes with any of Pillow's parsers and without limits, and takes the path that the
    request names. This one takes only files that were uploaded; `load_image` decodes them.
    """

    is_template = True

    def preprocess(self, payload: Any) -> Path | None:
        """Check that the request names an uploaded file.

        Args:
            payload: Gradio's ImageData, as the request filled it in.

        Returns:
            The file's path; None if there is no picture.

        Raises:
            gr.Error: If it is anything but a file in Gradio's upload folder.
        """
        if payload is None:
            return None
        if not payload.path or (payload.url or "").startswith("data:"):
            raise gr.Error(NOT_AN_UPLOAD, print_exception=False)
        try:
            path = Path(payload.path).resolve(strict=True)
        except (OSError, ValueError):
            path = None
        uploads = Path(self.GRADIO_CACHE).resolve()
        if path is None or not path.is_relative_to(uploads) or not path.is_file():
            raise gr.Error(NOT_AN_UPLOAD, print_exception=False)
        return path
