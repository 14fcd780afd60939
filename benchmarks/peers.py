"""What others do with a checkpoint folder: transformers' pipeline, timm's script, torchvision.

Each peer is given as its users would write it, with the same weights, on the CPU.
"""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import pipeline

from benchmarks.interop import timm_transform
from benchmarks.twin import torchvision_twin

Probabilities = dict[str, float]
One = Callable[[bytes], Probabilities]
Many = Callable[[list[Path], int], list[Probabilities]]  # files, DataLoader's workers
BATCH = 32


def open_image(content: bytes) -> Image.Image:
    """Decode as every example does."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def pipeline_one(folder: Path) -> One:
    """Use `pipeline("image-classification")`."""
    classify = pipeline("image-classification", model=str(folder), device="cpu")

    def answer(content: bytes) -> Probabilities:
        return _named(classify(open_image(content), top_k=None))

    return answer


def pipeline_many(folder: Path) -> Many:
    """Use the pipeline on a list of files, in batches, with a DataLoader's workers."""
    classify = pipeline("image-classification", model=str(folder), device="cpu")

    def answer(paths: list[Path], workers: int) -> list[Probabilities]:
        names = _Names(paths)
        options = {"batch_size": BATCH, "num_workers": workers, "top_k": None}
        return [_named(found) for found in classify(names, **options)]

    return answer


def timm_parts(folder: Path) -> tuple[Any, Any, list[str]]:
    """Load as timm's README does: model, transform, label names."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    return model, timm_transform(model.pretrained_cfg), model.pretrained_cfg["label_names"]


def torchvision_parts(folder: Path) -> tuple[Any, Any, list[str]]:
    """Build torchvision's model of the same weights, with its own transforms."""
    model, config = torchvision_twin(folder)
    rule, transforms = config.preprocess, torchvision.transforms
    transform = transforms.Compose([
        transforms.Resize(rule.resize, transforms.InterpolationMode(rule.interpolation)),
        transforms.CenterCrop(rule.crop),
        transforms.ToTensor(),
        transforms.Normalize(rule.mean, rule.std),
    ])  # fmt: skip
    return model.eval(), transform, list(config.label_names)


def eager_one(parts: tuple[Any, Any, list[str]]) -> One:
    """Ask an eager model about one picture, as examples do."""
    model, transform, labels = parts

    @torch.inference_mode()
    def answer(content: bytes) -> Probabilities:
        probabilities = model(transform(open_image(content))[None]).softmax(dim=1)[0]
        return dict(zip(labels, probabilities.tolist(), strict=True))

    return answer


def fastai_one(folder: Path) -> One:
    """Use a fastai learner's `predict`, without its progress bar."""
    from benchmarks.fastai_reader import read_with_fastai

    learner = read_with_fastai(folder)
    labels = list(learner.dls.vocab)
    learner.remove_cbs([each for each in learner.cbs if each.name == "progress"])

    def answer(content: bytes) -> Probabilities:
        probabilities = learner.predict(open_image(content))[2]
        return dict(zip(labels, probabilities.tolist(), strict=True))

    return answer


def eager_many(parts: tuple[Any, Any, list[str]]) -> Many:
    """Ask an eager model about files, by a DataLoader, as scripts do."""
    model, transform, labels = parts

    @torch.inference_mode()
    def answer(paths: list[Path], workers: int) -> list[Probabilities]:
        loader: Iterable[Tensor] = DataLoader(
            _Views(paths, transform), batch_size=BATCH, num_workers=workers
        )
        rows = [row for batch in loader for row in model(batch).softmax(dim=1).tolist()]
        return [dict(zip(labels, row, strict=True)) for row in rows]

    return answer


def check_equal(ours: list[Probabilities], theirs: list[Probabilities], peer: str) -> None:
    """Stop unless a peer says the same as we: only equal work is compared.

    Raises:
        SystemExit: If a most probable class differs, or a probability by over 0.001.
    """
    for mine, other in zip(ours, theirs, strict=True):
        apart = max(abs(mine[label] - other[label]) for label in mine)
        if apart > 1e-3 or max(mine, key=mine.__getitem__) != max(other, key=other.__getitem__):
            raise SystemExit(f"{peer}: another answer, {other} instead of {mine}")


def _named(found: list[dict[str, Any]]) -> Probabilities:
    return {each["label"]: each["score"] for each in found}


class _Names(Dataset[str]):
    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> str:
        return str(self._paths[index])


class _Views(Dataset[Tensor]):
    def __init__(self, paths: list[Path], transform: Any) -> None:
        self._paths = paths
        self._transform = transform

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self._paths[index]) as image:
            view: Tensor = self._transform(image.convert("RGB"))
        return view
