import gradio as gr
import pytest
from gradio.data_classes import ImageData

from demo.safe_image import SafeImage


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def refused(payload):
    with pytest.raises(gr.Error) as caught:
        SafeImage(type="filepath").preprocess(payload)
    return caught.value.message == "This is not an uploaded picture; please choose it again."


def test_an_uploaded_file_comes_through_as_its_path(uploads):
    path = uploads / "a.jpg"
    path.write_bytes(b"whatever it holds")
    assert SafeImage(type="filepath").preprocess(ImageData(path=str(path))) == path.resolve()


def test_no_picture_is_none():
    assert SafeImage(type="filepath").preprocess(None) is None


def test_a_file_that_was_not_uploaded_is_refused_whether_it_exists_or_not(uploads, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    (uploads / "link.png").symlink_to(secret)
    assert refused(ImageData(path=str(secret)))
    assert refused(ImageData(path=str(tmp_path / "missing.png")))
    assert refused(ImageData(path=str(uploads / ".." / "secret.png")))
    assert refused(ImageData(path=str(uploads / "link.png")))
    assert refused(ImageData(path=str(uploads)))
    assert refused(ImageData(path="a\x00b"))


def test_data_in_the_address_is_refused(uploads):
    path = uploads / "a.png"
    path.write_bytes(b"x")
    assert refused(ImageData(url="data:image/png;base64,AAAA"))
    assert refused(ImageData(path=str(path), url="data:image/png;base64,AAAA"))
    assert refused(ImageData(url="http://127.0.0.1/a.png"))
