from pathlib import Path

import torch

from benchmarks.cut_resnet import main
from hub_models import ImageClassifier


def test_the_pooled_features_are_those_of_stage_3(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = ImageClassifier.create("resnet18", ["a", "b"], weights=None)
    whole.save_pretrained(tmp_path / "whole")
    assert main([str(tmp_path / "whole"), str(tmp_path / "cut")]) == 0
    cut = ImageClassifier.from_pretrained(tmp_path / "cut")
    pixels, stage_3 = torch.rand(2, 3, 64, 64), []
    whole.eval().backbone.layer3.register_forward_hook(lambda *call: stage_3.append(call[2]))
    with torch.inference_mode():
        whole.feature_map(pixels)
        pooled = cut.eval().feature_map(pixels).mean(dim=(2, 3))
    expected = stage_3[0].mean(dim=(2, 3))
    torch.testing.assert_close(pooled[:, :256], expected, rtol=1e-4, atol=1e-5)
    assert not pooled[:, 256:].any()
