import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from hub_models import ConfigError, ImageClassifier, PreprocessConfig
from hub_models.class_folders import read_class_folders
from hub_models.cli import main
from hub_models.export import export_onnx
from hub_models.int8 import MAX_LOSS, Measured, Trial, export_int8, find_failures
from hub_models.quantise import count_convs
from hub_models.session import Session
from hub_models.timing import Latency

LABELS = ("red", "green", "blue")
PER_CLASS = 12


def coloured(target: int, seed: int) -> Image.Image:
    """Noise in which one channel is the brightest."""
    levels = np.random.default_rng(seed).integers(0, 100, (40, 40, 3), dtype=np.uint8)
    levels[..., target] += 150
    return Image.fromarray(levels)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("colours")
    for target, label in enumerate(LABELS):
        (root / label).mkdir()
        for i in range(PER_CLASS):
            coloured(target, seed=100 * target + i).save(root / label / f"{i:02}.png")
    return root


@pytest.fixture(scope="module")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that tells the colours by weights written down, not learnt: so on any machine.

    The three channels of the picture go through all layers as they are, with a little of
    everything else; "green" is what it says where there is no colour at all.
    """
    torch.manual_seed(0)
    tiny = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=tiny)
    around = {b.conv[-2] for b in model.modules() if getattr(b, "use_res_connect", False)}
    with torch.no_grad():
        for conv in (m for m in model.modules() if isinstance(m, nn.Conv2d)):
            conv.weight *= 0.05
            middle = conv.kernel_size[0] // 2
            for channel in range(0 if conv in around else 3):
                conv.weight[channel, channel if conv.groups == 1 else 0, middle, middle] += 1
        model.head.weight.copy_(torch.eye(*model.head.weight.shape))
        model.head.bias.copy_(torch.tensor([0.0, 0.4, 0.0]))
    folder = tmp_path_factory.mktemp("classifier") / "colours"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fp32(classifier_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fp32") / "model.onnx"
    export_onnx(classifier_folder, path)
    return path


@pytest.fixture(scope="module")
def trial(fp32: Path, pictures: Path) -> tuple[Trial, Path]:
    """INT8, written whether or not it is faster: 32 px are over in a moment either way."""
    target = fp32.with_name("model_int8.onnx")
    return export_int8(fp32, target, read_class_folders(pictures, LABELS), force=True), target


@pytest.mark.slow
def test_the_int8_file_keeps_the_accuracy(trial: tuple[Trial, Path]) -> None:
    measured = trial[0]
    assert measured.fp32.accuracy > 0.9
    assert measured.best.accuracy >= measured.fp32.accuracy - MAX_LOSS
    assert not any("accuracy" in failure for failure in measured.failures)
    assert (measured.calibration_pictures, measured.measured_pictures) == (9, 27)


@pytest.mark.slow
def test_every_convolution_is_quantised_and_runs_in_8_bits(
    trial: tuple[Trial, Path], tmp_path: Path
) -> None:
    measured, path = trial
    quantised, convs = count_convs(path)
    assert quantised == convs == 52
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(str(path), options)
    kinds = [n.op_type for n in onnx.load(str(tmp_path / "optimised.onnx")).graph.node]
    assert kinds.count("QLinearConv") == 52
    assert measured.best.bytes < measured.fp32.bytes / 2


@pytest.mark.slow
def test_the_best_of_every_scheme_is_kept(trial: tuple[Trial, Path]) -> None:
    measured = trial[0]
    names = [row.name for row in measured.tried]
    assert {"per channel, u8s7", "per tensor, u8u8", "per tensor, s8s8"} <= set(names)
    assert measured.best.accuracy == max(row.accuracy for row in measured.tried)
    assert measured.best.latency is not None
    assert measured.best.latency.calls == measured.fp32.latency.calls


@pytest.mark.slow
def test_the_int8_file_explains_itself(trial: tuple[Trial, Path], fp32: Path) -> None:
    measured, path = trial
    session = Session(path)
    assert session.config == Session(fp32).config
    note = json.loads(session.metadata["quantisation"])
    assert note["name"] == measured.best.name
    assert note["accuracy"] == measured.best.accuracy


@pytest.mark.slow
def test_a_bad_calibration_is_shown_in_a_table_and_written_nowhere(
    classifier_folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = tmp_path / "planted"
    shutil.copytree(pictures, planted)
    for label in LABELS:
        for i in range(0, PER_CLASS, 4):  # those that calibrate: all pixels near 0
            Image.new("RGB", (40, 40), (124, 116, 104)).save(planted / label / f"{i:02}.png")
    out = tmp_path / "out"
    options = ["export", str(classifier_folder), "--to", str(out), "--int8"]
    assert main([*options, "--calibrate", str(planted)]) == 1
    told = capsys.readouterr()
    assert "model_int8.onnx: not written: accuracy falls by" in told.err
    assert "per channel, u8s7, ends in fp32" in told.out
    assert sorted(p.name for p in out.iterdir()) == ["model.onnx"]


def test_int8_needs_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "x", "--to", "y", "--int8"])
    assert "--int8 needs --calibrate DATA" in capsys.readouterr().err


def test_one_picture_of_a_class_is_too_few(fp32: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "red").mkdir()
    (tmp_path / "red" / "0.png").write_bytes((pictures / "red" / "00.png").read_bytes())
    with pytest.raises(ConfigError, match="at least two pictures of a class are needed"):
        export_int8(fp32, tmp_path / "q.onnx", read_class_folders(tmp_path, LABELS))


def measured_as(p50: float, **changes: object) -> Measured:
    row = Measured("x", 0.9, 1.0, 20, 20, 1000, Latency(p50, p50, p50, 10))
    return replace(row, **changes)  # type: ignore[arg-type]


GATES: dict[str, tuple[Measured, tuple[str, ...]]] = {
    "as accurate and faster": (measured_as(4), ()),
    "half a point lost": (measured_as(4, accuracy=0.8951), ()),
    "more lost": (
        measured_as(4, accuracy=0.89),
        ("accuracy falls by 1.00 points, 0.5 are allowed",),
    ),
    "slower": (measured_as(6), ("slower than fp32: 6.00 ms against 5.00 ms",)),
    "nothing quantised": (
        measured_as(4, quantised_convs=0),
        ("no convolution was quantised",),
    ),
}


@pytest.mark.parametrize(("best", "failures"), GATES.values(), ids=GATES)
def test_each_gate_fails_by_its_own_sentence(best: Measured, failures: tuple[str, ...]) -> None:
    assert find_failures(measured_as(5), best) == failures


def in_8_bits(network: nn.Module) -> list[str]:
    return [n for n, m in network.named_modules() if "quantized.dynamic" in type(m).__module__]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kinds", [{nn.Conv2d, nn.Linear}, {nn.Conv2d}])
def test_pytorchs_dynamic_quantisation_leaves_every_convolution_in_fp32(
    model: ImageClassifier, kinds: set[Callable[..., nn.Module]]
) -> None:
    quantised = torch.ao.quantization.quantize_dynamic(model, kinds, dtype=torch.qint8)
    convs = [m for m in quantised.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 52
    assert all(conv.weight.dtype == torch.float32 for conv in convs)
    assert in_8_bits(quantised) == (["head"] if nn.Linear in kinds else [])
