import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from hub_models import CheckpointError, ConfigError, ImageClassifier
from hub_models.atomic import hash_file, staged
from hub_models.cli import main
from hub_models.export import EXPORTERS, OPSET, Exporter, export_onnx
from hub_models.session import Session
from tests.processes import run_python


@pytest.fixture(scope="session")
def tiny_folder(lively_folder: Path) -> Path:  # its logits differ by picture
    return lively_folder


@pytest.fixture(scope="module")
def exported(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(tiny_folder, path)
    return path


@pytest.mark.parametrize("size", [1, 3, 8, 13])
def test_the_file_gives_pytorchs_logits_and_feature_map_at_any_batch_size(
    exported: Path, model: ImageClassifier, size: int
) -> None:
    batch = torch.rand(size, 3, 32, 32)
    session = onnxruntime.InferenceSession(str(exported))
    logits, feature_map = session.run(["logits", "feature_map"], {"batch": batch.numpy()})
    with torch.inference_mode():
        expected = model(batch).numpy(), model.feature_map(batch).numpy()
    for ours, theirs in zip((logits, feature_map), expected, strict=True):  # as TOLERANCE has it
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * float(np.abs(theirs).max()))


def test_the_file_explains_itself(
    exported: Path, tiny_folder: Path, model: ImageClassifier
) -> None:
    content = onnx.load(str(exported))
    onnx.checker.check_model(content, full_check=True)
    assert [(o.domain, o.version) for o in content.opset_import] == [("", OPSET)]
    facts = {p.key: p.value for p in content.metadata_props}
    assert json.loads(facts["labels"]) == ["cat", "dog", "owl"]
    assert json.loads(facts["preprocess"])["crop"] == 32
    assert facts["architecture"] == "mobilenetv2_025"
    assert facts["weights_sha256"] == hash_file(tiny_folder / "model.safetensors")
    assert Session(exported).config == model.config
    assert asdict(Session(exported).config.preprocess) == asdict(model.config.preprocess)


def test_the_file_names_no_folder_of_this_machine(exported: Path, tiny_folder: Path) -> None:
    content = exported.read_bytes()
    assert str(tiny_folder.parent).encode() not in content
    assert str(Path(__file__).parents[2]).encode() not in content


def test_parity_is_measured_on_the_pictures_given(tiny_folder: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 3, 32, 32), np.float32)
    parity = export_onnx(tiny_folder, tmp_path / "m.onnx", pixels=pixels)
    assert parity.pictures == 3
    assert parity.top1_agreement == 1
    assert 0 <= parity.logits_difference < 1e-4


def wrong(change: Callable[[Tensor], Tensor]) -> Exporter:
    """An exporter whose file computes something else."""

    class Wrong(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
            logits, feature_map = self.network(batch)
            return change(logits), feature_map

    return lambda network, batch, path: EXPORTERS["torchscript"](Wrong(network), batch, path)


def broken(network: nn.Module, batch: Tensor, path: Path) -> None:
    raise RuntimeError("cannot export this\nand a long story")


def test_an_exporter_whose_logits_are_off_gives_way_to_the_next(
    tiny_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporters = {"off": wrong(lambda x: x * 1.001), "good": EXPORTERS["torchscript"]}
    parity = export_onnx(tiny_folder, tmp_path / "m.onnx", exporters=exporters)
    assert parity.exporter == "good"
    assert "exporter off is off by" in caplog.text
    assert Session(tmp_path / "m.onnx").metadata["exporter"] == "good"


@pytest.mark.parametrize(
    ("exporter", "reason"),
    [
        (wrong(lambda x: x * 1.001), r"alone is off by \d"),
        (wrong(lambda x: x * float("nan")), "alone is off by inf"),
        (wrong(lambda x: x[:, :2]), "alone is off by inf"),
        (broken, r"alone failed \(RuntimeError: cannot export this\)$"),
    ],
)
def test_a_file_that_is_not_pytorchs_equal_is_not_written(
    tiny_folder: Path, tmp_path: Path, exporter: Exporter, reason: str
) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("as it was")
    with pytest.raises(CheckpointError, match=reason):
        export_onnx(tiny_folder, path, exporters={"alone": exporter})
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_the_newer_exporter_passes_the_same_gate(tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="PyTorch's newer exporter needs it")
    parity = export_onnx(
        tiny_folder, tmp_path / "m.onnx", exporters={"dynamo": EXPORTERS["dynamo"]}
    )
    assert parity.is_close


def test_the_command_writes_the_file_and_says_how_close_it_is(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["export", str(tiny_folder), "--to", str(tmp_path / "out")]
    assert main(options) == 0
    path = tmp_path / "out" / "model.onnx"
    said = capsys.readouterr().out
    assert said.startswith(f"{path}: opset {OPSET}, {path.stat().st_size:,} bytes, by the ")
    assert "8 drawn pictures, at batch sizes 1, 3 and 8: logits within " in said
    assert main([*options, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["file"] == str(path)
    assert facts["parity"]["top1_agreement"] == 1
    assert facts["parity"]["logits_difference"] <= 1e-4


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with pytest.raises(ZeroDivisionError), staged(path) as staging:
        staging.write_text(f"half {1 / 0}")
    assert list(path.parent.iterdir()) == []
    with staged(path) as staging:
        staging.write_text("whole")
    assert path.read_text() == "whole"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = pytest.raises(CheckpointError, match=r"file/m\.onnx: cannot be written")
    with told, staged(tmp_path / "file" / "m.onnx") as staging:
        staging.touch()


@pytest.mark.slow
def test_without_onnx_runtime_one_sentence_says_what_to_install(
    tiny_folder: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from hub_models.cli import main\n"
        f"sys.exit(main(['export', {str(tiny_folder)!r}, '--to', {str(tmp_path)!r}]))"
    )
    done = run_python(code)
    assert done.returncode == 1
    assert done.stderr == (
        "hub-models: onnxruntime is not installed: pip install 'hub-models[export]'\n"
    )


def test_a_file_that_is_no_onnx_is_named(tmp_path: Path, exported: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(exported.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"m\.onnx: damaged or no ONNX file"):
        Session(path)


def test_a_strangers_onnx_file_is_refused(tmp_path: Path, exported: Path) -> None:
    content = onnx.load(str(exported))
    del content.metadata_props[:]
    onnx.save(content, str(tmp_path / "m.onnx"))
    with pytest.raises(ConfigError, match=r"m\.onnx: not written by `hub-models export`"):
        Session(tmp_path / "m.onnx")


def test_weights_beside_an_onnx_file_are_refused(tmp_path: Path, exported: Path) -> None:
    content = onnx.load(str(exported))
    path = tmp_path / "m.onnx"
    onnx.save(content, str(path), save_as_external_data=True, location="weights.bin")
    with pytest.raises(CheckpointError, match="its weights lie in another file beside it"):
        Session(path)


def test_a_session_in_a_forked_child_wants_the_file_it_was_loaded_from(
    tmp_path: Path, exported: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(exported.read_bytes())
    preprocess = Session(path).config.preprocess
    batch = np.zeros((1, 3, preprocess.crop, preprocess.crop), np.float32)
    several, single = Session(path, threads=2), Session(path, threads=1)
    expected = several.run(batch)[0]
    for session in (several, single):
        session.renew()  # as a child does
        np.testing.assert_array_equal(session.run(batch)[0], expected)
    path.write_bytes(path.read_bytes() + b"\0")
    for session in (several, single):
        session.renew()
    np.testing.assert_array_equal(single.run(batch)[0], expected)  # no threads: as it was
    with pytest.raises(CheckpointError, match=r"m\.onnx: changed since it was loaded"):
        several.run(batch)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"m\.onnx: gone since it was loaded"):
        several.run(batch)
