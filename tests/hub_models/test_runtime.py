import copy
import logging
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hub_models import CheckpointError, ConfigError, ImageClassifier, ImageError, load_runtime
from hub_models.batcher import MAX_BATCH
from hub_models.drawn import draw
from hub_models.export_cache import cached_export
from hub_models.prediction import rank
from hub_models.runtime import Runtime
from tests import pictures
from tests.hub_server import HubServer
from tests.processes import run_python

ENGINES = ["onnx", "torch"]


@pytest.fixture(scope="session")
def tiny_folder(lively_folder: Path) -> Path:  # its logits differ by picture
    return lively_folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", str(folder))
        yield folder / "onnx"


@pytest.fixture(params=ENGINES)
def runtime(request: pytest.FixtureRequest, cache: Path, tiny_folder: Path) -> Runtime:
    return load_runtime(tiny_folder, engine=request.param)


def test_classify_gives_what_the_classifier_gives(
    runtime: Runtime, model: ImageClassifier, photo: Path
) -> None:
    expected = model.classify(photo)
    for image in (photo, str(photo), photo.read_bytes(), pictures.photo(64, 48)):
        answer = runtime.classify(image)
        reference = expected if not hasattr(image, "mode") else model.classify(image)
        assert [p.label for p in answer] == [p.label for p in reference]
        assert [p.probability for p in answer] == pytest.approx(
            [p.probability for p in reference], abs=1e-4
        )
    assert len(runtime.classify(photo, top=1)) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_the_temperature_of_the_config_is_used(
    engine: str, cache: Path, model: ImageClassifier, photo: Path, tmp_path: Path
) -> None:
    logits = model(model.pixels(photo).unsqueeze(0)).detach().numpy()[0]
    model.config = replace(model.config, temperature=2.0)
    model.save_pretrained(tmp_path / "calm")
    expected = rank(logits, model.config.label_names, temperature=2.0)
    assert model.classify(photo)[0].probability == pytest.approx(expected[0].probability, abs=1e-6)
    (first, *_) = load_runtime(tmp_path / "calm", engine=engine).classify(photo)
    assert first.label == expected[0].label
    assert first.probability == pytest.approx(expected[0].probability, abs=1e-4)


def test_a_list_of_any_length_keeps_its_order(runtime: Runtime, model: ImageClassifier) -> None:
    images = [draw(seed) for seed in range(MAX_BATCH + 3)]
    answers = runtime.classify(images)
    for answer, expected in zip(answers, model.classify(images), strict=True):
        assert [p.label for p in answer] == [p.label for p in expected]
        assert answer[0].probability == pytest.approx(expected[0].probability, abs=1e-4)
    assert runtime.classify([]) == []


@pytest.mark.parametrize("count", [1, 3, MAX_BATCH + 1])
def test_outputs_are_the_logits_and_the_feature_map(
    runtime: Runtime, model: ImageClassifier, count: int
) -> None:
    batch = np.random.default_rng(0).random((count, 3, 32, 32), np.float32)
    logits, feature_map = runtime.outputs(batch)
    with torch.inference_mode():
        expected = [model(torch.from_numpy(batch)), model.feature_map(torch.from_numpy(batch))]
    for ours, theirs in zip((logits, feature_map), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (np.zeros((1, 3, 31, 32), np.float32), r"\(N, 3, 32, 32\) is needed, not \(1, 3, 31, 32\)"),
        (np.zeros((3, 32, 32), np.float32), r"not \(3, 32, 32\)"),
        (np.zeros((0, 3, 32, 32), np.float32), r"not \(0, 3, 32, 32\)"),
        (np.zeros((1, 3, 32, 32)), "a batch of float32 is needed, not of float64"),
    ],
)
def test_a_batch_of_another_shape_or_type_is_named(
    runtime: Runtime, batch: np.ndarray, reason: str
) -> None:
    with pytest.raises(ImageError, match=reason):
        runtime.outputs(batch)


def test_an_unreadable_picture_is_named_and_the_runtime_goes_on(
    runtime: Runtime, photo: Path, tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        runtime.classify([photo, tmp_path / "gone.jpg", photo])
    assert len(runtime.classify([photo, photo])) == 2


def test_many_threads_get_their_own_answers(runtime: Runtime, model: ImageClassifier) -> None:
    images = [draw(seed) for seed in range(24)]
    expected = [answer[0] for answer in model.classify(images)]
    assert len({round(prediction.probability, 4) for prediction in expected}) == 24
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda image: runtime.classify(image, top=1)[0], images * 4))
    for answer, prediction in zip(answers, expected * 4, strict=True):
        assert answer.label == prediction.label
        assert answer.probability == pytest.approx(prediction.probability, abs=1e-4)


def test_ever_more_callers_do_not_mean_ever_more_threads(runtime: Runtime, photo: Path) -> None:
    runtime.classify([photo] * 8)
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    with ThreadPoolExecutor(16) as callers:
        list(callers.map(runtime.classify, [photo] * 64))
        assert len(set(threading.enumerate()) - before) <= 16
    assert set(threading.enumerate()) <= before


def test_onnx_runtime_is_the_engine_where_it_is_installed(cache: Path, tiny_folder: Path) -> None:
    assert load_runtime(tiny_folder).engine == "onnx"


@pytest.mark.slow
def test_without_onnx_runtime_pytorch_is_the_engine_and_asking_for_it_is_one_sentence(
    tiny_folder: Path,
) -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from hub_models import HubModelsError, load_runtime\n"
        "print(load_runtime(sys.argv[1]).engine)\n"
        "try: load_runtime(sys.argv[1], engine='onnx')\n"
        "except HubModelsError as error: print(error)"
    )
    done = run_python(code, tiny_folder)
    assert done.stdout.splitlines() == [
        "torch",
        "onnxruntime is not installed: pip install 'hub-models[export]'",
    ], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_process_that_never_closes_its_runtime_ends_well(
    tiny_folder: Path, cache: Path, photo: Path, engine: str
) -> None:
    code = (
        "import sys, hub_models\n"
        "runtime = hub_models.load_runtime(sys.argv[1], engine=sys.argv[3])\n"
        "runtime.classify(sys.argv[2])"
    )
    for _ in range(2):  # it was a race
        done = run_python(code, tiny_folder, photo, engine)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_engine_is_an_error(tiny_folder: Path) -> None:
    with pytest.raises(ConfigError, match="engine must be one of auto, onnx, torch, not 'tpu'"):
        load_runtime(tiny_folder, engine="tpu")


def test_a_repository_is_loaded_at_its_commit(
    hub_server: HubServer, cache: Path, tiny_folder: Path, photo: Path
) -> None:
    commit = hub_server.commit("owner/fast", tiny_folder, branch="v2")
    runtime = load_runtime("owner/fast", revision="v2")
    assert runtime.revision == commit
    assert runtime.classify(photo)[0].label in runtime.config.label_names


def test_an_exported_file_is_a_source_of_its_own(
    cache: Path, tiny_folder: Path, photo: Path, tmp_path: Path
) -> None:
    path = tmp_path / "moved.onnx"
    path.write_bytes(cached_export(tiny_folder).read_bytes())
    runtime = load_runtime(path)
    assert runtime.classify(photo) == load_runtime(tiny_folder).classify(photo)
    with pytest.raises(ConfigError, match="an exported file has no other engine"):
        load_runtime(path, engine="torch")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["folder", "file"])
def test_what_was_exported_is_classified_with_without_loading_pytorch(
    source: str, cache: Path, tiny_folder: Path, photo: Path
) -> None:
    code = (
        "import sys, hub_models\n"
        "print(hub_models.load_runtime(sys.argv[1]).classify(sys.argv[2])[0].label)\n"
        "print('torch' in sys.modules)"
    )
    exported = cached_export(tiny_folder)
    done = run_python(code, exported if source == "file" else tiny_folder, photo)
    label = load_runtime(tiny_folder).classify(photo)[0].label
    assert done.stdout.split() == [label, "False"], done.stderr


def copied(runtime: Runtime, how: str) -> Runtime:
    return copy.deepcopy(runtime) if how == "copy" else pickle.loads(pickle.dumps(runtime))


@pytest.mark.parametrize("how", ["copy", "pickle"])
def test_a_copy_and_a_pickle_load_the_source_again(
    how: str, runtime: Runtime, photo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    twin = copied(runtime, how)
    assert twin is not runtime
    assert (twin.engine, twin.config) == (runtime.engine, runtime.config)
    assert twin.classify(photo) == runtime.classify(photo)
    assert len(pickle.dumps(runtime)) < 2000  # the source, no weights


def test_a_pickle_of_a_repository_is_of_its_commit(
    hub_server: HubServer, cache: Path, tiny_folder: Path, folder: Path
) -> None:
    commit = hub_server.commit("owner/moves", tiny_folder)
    pickled = pickle.dumps(load_runtime("owner/moves", engine="torch"))
    hub_server.commit("owner/moves", other_weights(folder))
    assert pickle.loads(pickled).revision == commit


def other_weights(folder: Path) -> Path:
    model = ImageClassifier.from_pretrained(folder)
    torch.nn.init.normal_(model.head.weight)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_a_runtime_whose_folder_changed_is_not_copied(
    cache: Path, folder: Path, engine: str
) -> None:
    runtime = load_runtime(folder, engine=engine)
    pickled = pickle.dumps(runtime)
    other_weights(folder)
    with pytest.raises(CheckpointError, match="changed since it was loaded; load it again"):
        copy.deepcopy(runtime)
    with pytest.raises(CheckpointError, match="changed since the runtime was copied; load it"):
        pickle.loads(pickled)


@pytest.mark.parametrize("source", ["folder", "file"])
def test_a_runtime_whose_source_is_gone_is_not_copied(
    cache: Path, folder: Path, tmp_path: Path, source: str
) -> None:
    path = folder
    if source == "file":
        path = Path(shutil.copy(cached_export(folder), tmp_path / "moved.onnx"))
    runtime = load_runtime(path)
    pickled = pickle.dumps(runtime)
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="gone since it was loaded"):
        pickle.dumps(runtime)
    with pytest.raises(CheckpointError, match="the runtime that was copied came from it"):
        pickle.loads(pickled)


def test_only_what_load_runtime_gave_is_copied(runtime: Runtime) -> None:
    bare = Runtime(runtime.forward, runtime.config, "torch")
    with pytest.raises(ConfigError, match="only a runtime that load_runtime gave"):
        pickle.dumps(bare)


def test_the_second_load_takes_the_file_of_the_first(cache: Path, tiny_folder: Path) -> None:
    path = cached_export(tiny_folder)
    made = path.stat().st_mtime_ns
    assert cached_export(tiny_folder) == path
    assert path.stat().st_mtime_ns == made


def test_other_weights_and_other_labels_have_another_file(cache: Path, folder: Path) -> None:
    first = cached_export(folder)
    other = ImageClassifier.create(
        "mobilenetv2_025", ("a", "b", "c"), weights=folder, preprocess=None
    )
    other.save_pretrained(folder)
    second = cached_export(folder)
    assert second != first
    assert load_runtime(folder).config.label_names == ("a", "b", "c")


@pytest.mark.parametrize("harm", ["cut", "flipped", "undigested"])
def test_a_damaged_cached_file_is_made_anew(
    cache: Path, tiny_folder: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    path = cached_export(tiny_folder)
    content = path.read_bytes()
    half = len(content) // 2
    match harm:
        case "cut":
            path.write_bytes(content[:half])
        case "flipped":
            path.write_bytes(content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :])
        case "undigested":  # as after a crash between the two files
            path.with_suffix(".sha256").unlink()
    with caplog.at_level(logging.WARNING):
        assert cached_export(tiny_folder) == path
    assert "damaged, made anew" in caplog.text
    assert path.read_bytes() == content


@pytest.mark.slow
def test_two_processes_that_start_together_export_once(tiny_folder: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "os.environ['HUB_MODELS_CACHE'] = sys.argv[2]\n"
        "from hub_models import export, export_cache\n"
        "from pathlib import Path\n"
        "export_onnx = export.export_onnx\n"
        "def counted(*a, **k):\n"
        "    print('exported', flush=True); return export_onnx(*a, **k)\n"
        "export.export_onnx = counted\n"
        "Path(sys.argv[2], f'ready{sys.argv[3]}').touch()\n"
        "while len(list(Path(sys.argv[2]).glob('ready*'))) < 2: time.sleep(0.01)\n"
        "print(export_cache.cached_export(Path(sys.argv[1])))"
    )
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda n: run_python(code, tiny_folder, tmp_path, n), range(2)))
    lines = [line for done in runs for line in done.stdout.splitlines()]
    assert lines.count("exported") == 1, runs
    paths = [line for line in lines if line != "exported"]
    assert len(paths) == 2
    assert paths[0] == paths[1]


def test_a_cache_that_cannot_be_written_is_named(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "file"))
    told = r"file/onnx: cannot be written .* HUB_MODELS_CACHE may name another folder"
    with pytest.raises(CheckpointError, match=told):
        load_runtime(tiny_folder)


def test_onnx_runtime_names_this_machine_to_nobody(
    cache: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    load_runtime(tiny_folder, engine="onnx")
    environment = os.environ | {"HOME": str(tmp_path), "HUB_MODELS_CACHE": str(cache.parent)}
    for name in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    code = f"from hub_models import load_runtime; load_runtime({str(tiny_folder)!r}, engine='onnx')"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not list(tmp_path.rglob("deviceid"))  # made as soon as telemetry is on
