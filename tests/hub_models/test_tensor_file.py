import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hub_models import CheckpointError, ImageClassifier
from hub_models.tensor_file import (
    ALIGNMENT,
    MAX_HEADER_BYTES,
    is_aligned,
    pack_tensors,
    read_tensors,
)
from hub_models.weights import disk_names, fit
from tests.conftest import LABELS

ODD = {  # every size that could push a neighbour off its place
    "a": torch.arange(3.0),
    "b": torch.arange(32.0).reshape(4, 8),
    "c": torch.tensor(7),
    "d": torch.randn(16, 3, 3, 3),
    "e": torch.arange(5, dtype=torch.float16),
    "f": torch.zeros(0, 4),
    "g": torch.randn(64),
}


def _write(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    path.write_bytes(pack_tensors(tensors))
    return path


def _classifier(labels: int) -> ImageClassifier:
    """A ResNet-18 whose head is far from zero, so that the last bit of a logit shows."""
    torch.manual_seed(0)
    model = ImageClassifier.create("resnet18", [str(i) for i in range(labels)])
    nn.init.normal_(model.head.weight)
    return model.eval()


def _on_disk(model: ImageClassifier) -> dict[str, Tensor]:
    state = model.state_dict()
    names = disk_names(model.config.architecture, list(state))
    return {names[name]: tensor for name, tensor in state.items()}


def _loaded(model: ImageClassifier, path: Path, *, mmap: bool) -> ImageClassifier:
    with torch.device("meta"):
        loaded = ImageClassifier(model.config)
    fit(
        loaded,
        read_tensors(path, mmap=mmap),
        disk_names(model.config.architecture, list(model.state_dict())),
    )
    return loaded.eval()


def test_the_safetensors_library_reads_what_is_written(tmp_path: Path) -> None:
    theirs = load_file(_write(tmp_path / "w", ODD))
    assert set(theirs) == set(ODD)
    for name, tensor in ODD.items():
        assert theirs[name].dtype == tensor.dtype
        assert torch.equal(theirs[name], tensor)


@pytest.mark.parametrize("mmap", [False, True])
def test_what_is_written_is_read_back_and_written_the_same(mmap: bool, tmp_path: Path) -> None:
    path = _write(tmp_path / "w", ODD)
    assert pack_tensors(read_tensors(path, mmap=mmap)) == path.read_bytes()
    assert pack_tensors(dict(reversed(ODD.items()))) == path.read_bytes()


def test_every_tensor_of_a_multiple_of_64_bytes_begins_at_one(tmp_path: Path) -> None:
    tensors = read_tensors(_write(tmp_path / "w", ODD), mmap=True)
    assert {n for n, t in tensors.items() if t.nbytes and is_aligned(t)} >= {"b", "d", "g"}
    assert all(t.data_ptr() % t.element_size() == 0 for t in tensors.values())


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_025", "mobilenetv2_100"])
def test_hardly_anything_of_a_classifier_has_to_be_copied(name: str, tmp_path: Path) -> None:
    model = ImageClassifier.create(name, LABELS)
    tensors = read_tensors(_write(tmp_path / "w", _on_disk(model)), mmap=True)
    copied = sum(t.nbytes for t in tensors.values() if not is_aligned(t))
    assert copied < 0.005 * sum(t.nbytes for t in tensors.values())


def test_a_loaded_classifier_uses_the_files_memory(tmp_path: Path) -> None:
    model = _classifier(3)
    path = _write(tmp_path / "w", _on_disk(model))
    tensors = read_tensors(path, mmap=True)
    with torch.device("meta"):
        loaded = ImageClassifier(model.config)
    fit(loaded, tensors, disk_names("resnet18", list(model.state_dict())))
    weight = loaded.get_parameter("backbone.layer4.0.conv1.weight")
    assert weight.data_ptr() == tensors["layer4.0.conv1.weight"].data_ptr()


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("labels", [1, 3, 37, 100])
def test_a_loaded_classifier_gives_the_same_bits(labels: int, mmap: bool, tmp_path: Path) -> None:
    model = _classifier(labels)
    loaded = _loaded(model, _write(tmp_path / "w", _on_disk(model)), mmap=mmap)
    for count, side in ((1, 64), (2, 64), (3, 75)):
        batch = torch.randn(count, 3, side, side)
        with torch.inference_mode():
            assert torch.equal(loaded(batch), model(batch))


@pytest.mark.parametrize("labels", [1, 37])
def test_a_file_of_the_safetensors_library_gives_the_same_bits_too(
    labels: int, tmp_path: Path
) -> None:
    model = _classifier(labels)
    save_file(_on_disk(model), tmp_path / "w")
    mapped = read_tensors(tmp_path / "w", mmap=True)
    assert not any(is_aligned(t) for t in mapped.values() if t.ndim == 2)
    loaded = _loaded(model, tmp_path / "w", mmap=True)
    assert all(is_aligned(t) for t in loaded.state_dict().values())
    for count, side in ((1, 64), (2, 64)):
        batch = torch.randn(count, 3, side, side)
        with torch.inference_mode():
            assert torch.equal(loaded(batch), model(batch))


def test_training_on_the_map_leaves_the_file_alone(tmp_path: Path) -> None:
    model = _classifier(3)
    path = _write(tmp_path / "w", _on_disk(model))
    before = path.read_bytes()
    loaded = _loaded(model, path, mmap=True)
    loaded(torch.randn(2, 3, 32, 32)).sum().backward()
    torch.optim.SGD(loaded.parameters(), lr=1.0).step()
    assert not torch.equal(loaded.head.weight, model.head.weight)
    assert path.read_bytes() == before


def test_what_was_read_keeps_its_values_when_the_file_is_written_over(tmp_path: Path) -> None:
    path = _write(tmp_path / "w", ODD)
    tensors = read_tensors(path)
    path.write_bytes(b"")
    assert all(torch.equal(tensors[name], tensor) for name, tensor in ODD.items())


@pytest.mark.parametrize("mmap", [False, True])
def test_each_tensor_has_a_storage_of_its_own(mmap: bool, tmp_path: Path) -> None:
    tensors = read_tensors(_write(tmp_path / "w", ODD), mmap=mmap)
    assert {n: t.untyped_storage().nbytes() for n, t in tensors.items()} == {
        name: tensor.nbytes for name, tensor in ODD.items()
    }


# --- damaged and hostile files

ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def _raw(header: object, data: bytes = b"\0" * 4) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _one(**changes: Any) -> bytes:
    return _raw({"w": ONE | changes})


DAMAGED = {
    "empty": b"",
    "shorter than a length": b"\1\0\0",
    "a pickle": b"\x80\x04\x95",
    "text": b"not a safetensors file at all",
    "a header longer than the file": (10**6).to_bytes(8, "little") + b"{}",
    "a header of a gigabyte": (10**9).to_bytes(8, "little") + b"{}",
    "a header of 2^64 bytes": b"\xff" * 8 + b"{}",
    "a header one byte too long": _raw(b"{}" + b" " * (MAX_HEADER_BYTES - 1), b""),
    "a header that is no JSON": _raw(b"{{{{"),
    "a header of brackets": _raw(b"[" * 100_000),
    "a header of objects": _raw(b'{"a":' * 100_000),
    "a header that is a list": _raw([ONE]),
    "a header no UTF-8": _raw(b'{"\xff":1}'),
    "half a surrogate pair": _raw({"\ud800": ONE}),
    "metadata a number": _raw({"__metadata__": 3}),
    "no offsets": _raw({"w": {"dtype": "F32", "shape": [1]}}),
    "an unknown type": _one(dtype="PICKLE"),
    "a type of six bits": _raw({"w": ONE | {"dtype": "F6_E2M3", "shape": [4]}}, b"\0" * 3),
    "a type of another size": _one(dtype="F64"),
    "a shape of another size": _one(shape=[2]),
    "a shape whose product overflows": _one(shape=[2**33, 2**33]),
    "a shape whose product wraps round to its size": _one(shape=[2**62, 4, 2**62]),
    "an empty shape no computer can count": _raw({"w": ONE | {
        "shape": [0, 2**64 - 1], "data_offsets": [0, 0]}}, b""),
    "a negative side": _one(shape=[-1]),
    "half a side": _one(shape=[0.5]),
    "offsets past the end": _one(data_offsets=[4, 8]),
    "offsets that run backwards": _one(data_offsets=[4, 0]),
    "a huge offset": _one(data_offsets=[0, 2**63]),
    "tensors that overlap": _raw({"a": ONE, "b": ONE}),
    "tensors that overlap by half": _raw({
        "a": ONE, "b": ONE | {"data_offsets": [2, 6]}}, b"\0" * 6),
    "bytes that belong to no tensor": _raw({"w": ONE}, b"\0" * 9),
}  # fmt: skip


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_one_sentence_that_names_its_path(
    content: bytes, mmap: bool, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or no safetensors file") as raised:
        read_tensors(path, mmap=mmap)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))


def test_a_header_may_be_as_long_as_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(_raw(b"{}" + b" " * (MAX_HEADER_BYTES - 2), b""))
    assert read_tensors(path) == {}


def test_the_limit_of_the_header_is_far_from_the_largest_architecture() -> None:
    with torch.device("meta"):
        model = ImageClassifier.create("resnet152", LABELS)
    header = {
        name: {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [2**28, 2**28]}
        for name, tensor in _on_disk(model).items()
    }
    assert len(json.dumps(header)) * 8 < MAX_HEADER_BYTES


def test_a_file_cut_short_is_an_error(tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((tiny_folder / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)


def test_alignment_is_what_pytorch_gives_its_own_tensors() -> None:
    assert all(is_aligned(torch.empty(n)) for n in range(1, 200))
    assert not is_aligned(torch.empty(99)[1:])
    assert ALIGNMENT == 64
