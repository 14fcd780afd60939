"""Config to the part of a card that says who reads the folder, and how."""

from typing import Final

from hub_models.config import ModelConfig

_OURS: Final = """## How to use it

```python
from hub_models import ImageClassifier

model = ImageClassifier.from_pretrained("NAME")
print(model.classify("photo.jpg"))
```
"""
_TIMM: Final = """
timm reads the same folder:

```python
import timm
from timm.data import create_transform, resolve_model_data_config

model = timm.create_model("PLACE:NAME", pretrained=True).eval()
transform = create_transform(**resolve_model_data_config(model))
```
"""
_TRANSFORMERS: Final = """
transformers too, where timm is installed:

```python
from transformers import pipeline

print(pipeline("image-classification", model="NAME")("photo.jpg"))
```"""
# Measured with transformers 5.23 (tests/test_interop.py): its pipeline fails on such a folder.
_GREY: Final = """
Its transform wants a grey picture: `transform(image.convert("L"))`.

transformers too, where timm is installed, but not through its pipeline, which feeds RGB:

```python
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

model = AutoModelForImageClassification.from_pretrained("NAME")
pixels = AutoImageProcessor.from_pretrained("NAME")(
    Image.open("photo.jpg").convert("L"), return_tensors="pt"
)
print(model(**pixels).logits.softmax(-1))
```"""


def render_usage(config: ModelConfig, name: str) -> str:
    """Write how the folder is read: by hub_models, and by timm and transformers where they can.

    Args:
        config: Of the model.
        name: The folder's name, or the repo_id "owner/name" it is published as.

    Returns:
        Markdown.
    """
    ours = _OURS.replace("NAME", name)
    if not config.is_read_by_timm:
        stem = f" with the stem `{config.stem}`" if config.stem != "imagenet" else ""
        return (
            f"{ours}\nOnly hub_models reads this folder: timm has no `{config.architecture}`{stem}."
        )
    theirs = _TIMM + (_GREY if config.preprocess.channels == 1 else _TRANSFORMERS)
    alone = (
        f"\n\nBoth leave out the temperature ({config.temperature:.2f}) that `classify` divides "
        "logits by: their first class is the same, their probabilities are not calibrated."
        if config.temperature != 1
        else ""
    )
    place = "hf-hub" if "/" in name else "local-dir"
    return ours + theirs.replace("PLACE", place).replace("NAME", name) + alone
