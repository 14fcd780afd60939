"""Upload inputs that hand over the paths of uploaded files, checked, and decode nothing.

Gradio writes a .pyi beside this module for the classes; it is not committed.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from demo.text_en import ENGLISH


def _uploaded(file: Any, cache: str, refusal: str) -> Path:
    if not file.path or (file.url or "").startswith("data:"):
        raise gr.Error(refusal, print_exception=False)
    try:
        path = Path(file.path).resolve(strict=True)
    except (OSError, ValueError):
        path = None
    if path is None or not path.is_relative_to(Path(cache).resolve()) or not path.is_file():
        raise gr.Error(refusal, print_exception=False)
    return path


class SafeImage(gr.Image):  # type: ignore[misc]  # gradio is not typed here
    """An image input whose value is the uploaded file itself, as a path.

    gr.Image decodes with any of Pillow's parsers and without limits, and takes the path that the
    request names. This one takes only files that were uploaded; `load_image` decodes them.

    Attributes:
        refusal: What is said of anything else.
    """

    is_template = True
    refusal = ENGLISH["not_an_upload"]

    def preprocess(self, payload: Any) -> Path | None:
        """Check that the request names an uploaded file.

        Args:
            payload: Gradio's ImageData, as the request filled it in.

        Returns:
            The file's path; None if there is no picture.

        Raises:
            gr.Error: If it is anything but a file in Gradio's upload folder.
        """
        return None if payload is None else _uploaded(payload, self.GRADIO_CACHE, self.refusal)


class SafeFiles(gr.File):  # type: ignore[misc]
    """A file input whose value is a list of (uploaded file, name the visitor gave it).

    Attributes:
        refusal: What is said of anything that was not uploaded.
    """

    is_template = True
    refusal = ENGLISH["not_an_upload"]

    def preprocess(self, payload: Any) -> list[tuple[Path, str]]:
        """Check that the request names uploaded files.

        Args:
            payload: Gradio's FileData or ListFiles, as the request filled it in.

        Returns:
            The files, none if there are none.

        Raises:
            gr.Error: If one is anything but a file in Gradio's upload folder.
        """
        if payload is None:
            return []
        files = payload.root if isinstance(getattr(payload, "root", None), list) else [payload]
        found = []
        for file in files:
            path = _uploaded(file, self.GRADIO_CACHE, self.refusal)
            found.append((path, Path(file.orig_name or "").name or path.name))
        return found
