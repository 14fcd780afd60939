import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from torchvision import models

from hub_models import ARCHITECTURES, HubModelsError, ImageClassifier, ModelConfig
from hub_models.cli import main
from hub_models.profile import Settings, count_macs, count_parameters, profile

PUBLISHED = {name: a.imagenet for name, a in ARCHITECTURES.items() if a.imagenet}


def config_of(architecture: str, labels: int = 1000, stem: str = "imagenet") -> ModelConfig:
    known = ARCHITECTURES[architecture]
    return ModelConfig(
        architecture=architecture,
        label_names=tuple(f"LABEL_{i}" for i in range(labels)),
        num_features=known.num_features,
        first_conv=known.first_conv,
        classifier=known.classifier,
        stem=stem,
    )


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_macs_are_those_torchvision_publishes(architecture: str) -> None:
    """Its `_ops`, "GFLOPS" in its table, count a multiply and an add as one, at 224 px."""
    published = models.get_weight(PUBLISHED[architecture]).meta
    macs = count_macs(config_of(architecture), side_px=224)
    assert macs / 1e9 == pytest.approx(published["_ops"], rel=0.002)
    assert count_parameters(config_of(architecture))["total"] == published["num_params"]


def test_macs_are_those_of_the_papers() -> None:
    # He et al. 2015 (arXiv:1512.03385), table 1: 1.8 × 10^9 multiply-adds
    assert round(count_macs(config_of("resnet18"), side_px=224) / 1e9, 1) == 1.8
    # Sandler et al. 2018 (arXiv:1801.04381), table 4: 300M for 1.0 and 585M for 1.4
    assert round(count_macs(config_of("mobilenetv2_100"), side_px=224) / 1e6, -1) == 300
    assert count_macs(config_of("mobilenetv2_140"), side_px=224) / 1e6 == pytest.approx(
        585, rel=0.01
    )
    # Howard et al. 2017 (arXiv:1704.04861), table 6: millions of mult-adds by width
    for width, millions in {"100": 569, "075": 325, "050": 149, "025": 41}.items():
        macs = count_macs(config_of(f"mobilenetv1_{width}"), side_px=224)
        assert macs / 1e6 == pytest.approx(millions, abs=1), width


def test_macs_are_those_computed_by_hand() -> None:
    """ResNet-18's stem and head, layer by layer, and what the rest adds with the side."""
    stem_224 = 112 * 112 * 64 * (7 * 7 * 3)
    stage_1 = 4 * (56 * 56 * 64 * (3 * 3 * 64))
    stages = 3 * (28 * 28 * 128 * (3 * 3 * 128))  # a stage halves the side, doubles the channels
    halving = 28 * 28 * 128 * (3 * 3 * 64) + 28 * 28 * 128 * 64
    head = 512 * 1000
    by_hand = stem_224 + stage_1 + 3 * (stages + halving) + head
    assert count_macs(config_of("resnet18"), side_px=224) == by_hand


def test_macs_follow_the_side_the_labels_and_the_stem() -> None:
    side_64, side_128 = (count_macs(config_of("resnet18", 2), side_px=s) for s in (64, 128))
    assert side_128 - 512 * 2 == 4 * (side_64 - 512 * 2)
    assert count_macs(config_of("resnet18", 3), side_px=64) == side_64 + 512
    assert count_macs(config_of("resnet18", 2, "small"), side_px=64) > 10 * side_64


def test_the_side_is_the_models_own_if_none_is_given() -> None:
    config = config_of("mobilenetv2_025")
    smaller = replace(config, preprocess=replace(config.preprocess, crop=96))
    assert count_macs(config) == count_macs(config, side_px=224)
    assert count_macs(smaller) == count_macs(config, side_px=96)


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenetv2_100"])
def test_a_freezing_mode_trains_as_many_parameters_as_it_says(architecture: str) -> None:
    counted = count_parameters(config_of(architecture, labels=2))
    model = ImageClassifier.create(architecture, ["a", "b"])
    for mode, count in counted["trainable"].items():
        model.freeze(mode)
        assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
    features = ARCHITECTURES[architecture].num_features
    assert counted["trainable"]["head"] == 2 * features + 2
    assert counted["trainable"]["head"] < counted["trainable"]["last_stage"] < counted["total"]
    assert counted["trainable"]["none"] == counted["total"]


@pytest.mark.slow
def test_a_profile_has_every_number_with_machine_threads_and_versions(
    lively_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path))
    settings = Settings(("torch", "onnx"), batches=(4, 1), threads=(1,), seconds=0.05)
    told: list[str] = []
    facts = profile(lively_folder, settings, progress=told.append)
    assert facts["flops"] == 2 * facts["macs"] > 0
    assert facts["bytes"]["model.safetensors"] > 0
    assert facts["bytes"]["model.onnx"] > 0
    assert facts["machine"]["cores"] >= 1
    assert {"torch", "onnxruntime"} <= set(facts["machine"]["versions"])
    rows = facts["measurements"]
    assert [(r["engine"], r["threads"], r["batch"]) for r in rows] == [
        ("torch", 1, 1),
        ("torch", 1, 4),
        ("onnx", 1, 1),
        ("onnx", 1, 4),
    ]
    for row in rows:
        for stage in ("decode_ms", "preprocess_ms", "forward_ms", "classify_ms"):
            assert 0 < row[stage]["p50"] <= row[stage]["p95"] <= row[stage]["p99"]
            assert row[stage]["calls"] >= 10
        assert row["peak_bytes"] >= row["peak_bytes_after_load"] >= row["peak_bytes_after_import"]
    assert any("torch, 1 threads" in line for line in told)
    torch_bytes, onnx_bytes = rows[0]["peak_bytes"], rows[2]["peak_bytes"]
    assert onnx_bytes < torch_bytes  # the process with ONNX Runtime has no PyTorch in it
    json.dumps(facts)


@pytest.mark.slow
def test_a_workers_peak_is_its_own_and_not_its_parents() -> None:
    code = (
        "import subprocess, sys\n"
        "ballast = b'x' * 500_000_000\n"
        "child = 'from hub_models.profile_worker import peak_bytes; print(peak_bytes())'\n"
        "subprocess.run([sys.executable, '-c', child])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 10_000_000 < int(done.stdout) < 300_000_000


@pytest.mark.slow
def test_what_a_worker_cannot_measure_is_one_sentence(tmp_path: Path, lively_folder: Path) -> None:
    copy = Path(shutil.copytree(lively_folder, tmp_path / "copy"))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(HubModelsError, match=r"copy: cannot be measured with torch .*safetensors"):
        profile(copy, Settings(("torch",), (1,), (1,), seconds=0.05))


@pytest.mark.slow
def test_the_command_prints_a_table_and_its_progress_on_stderr_and_saves_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--engine", "torch", "--threads", "1", "--batch", "2"]
    assert main(["profile", str(folder), *options, "--save"]) == 0
    out, err = capsys.readouterr()
    assert err == f"{folder}: torch, 1 threads\n"
    assert "MACs = " in out
    assert "trainable by freezing mode: head 3,843, last_stage" in out
    assert out.splitlines()[-1].split()[:3] == ["torch", "1", "2"]
    config = ImageClassifier.from_pretrained(folder).config
    costs = config.costs
    (row,) = costs["measurements"]
    assert (row["batch"], costs["parameters"]) == (2, count_parameters(config)["total"])
    assert costs["machine"]["versions"]["python"] == sys.version.split()[0]
    assert f"| torch | 1 | 2 | {row['forward_p50_ms']:.1f} |" in (folder / "README.md").read_text()


def test_numbers_are_saved_into_folders_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "owner/name", "--save"]) == 1
    assert "--save needs local folders" in capsys.readouterr().err
