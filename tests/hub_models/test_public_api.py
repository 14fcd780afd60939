import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hub_models

ROOT = Path(__file__).parents[2]
NAMES = [
    "ARCHITECTURES",
    "CheckpointError",
    "ConfigError",
    "HubModelsError",
    "ImageClassifier",
    "ImageError",
    "LoadReport",
    "ModelConfig",
    "Prediction",
    "PreprocessConfig",
    "Runtime",
    "load_image",
    "load_runtime",
]


def test_the_public_names_are_these_and_no_others() -> None:
    assert hub_models.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_imported_and_explains_itself(name: str) -> None:
    value = getattr(hub_models, name)
    assert value.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'hub_models' has no attribute 'Classifier'"):
        hub_models.Classifier  # noqa: B018


def test_a_star_import_brings_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from hub_models import *", names)
    assert set(NAMES) <= set(names)


@pytest.mark.parametrize("error", ["CheckpointError", "ConfigError", "ImageError"])
def test_one_except_catches_every_error_of_this_project(error: str) -> None:
    assert issubclass(getattr(hub_models, error), hub_models.HubModelsError)


def test_type_checkers_see_the_names_that_are_imported_late() -> None:
    tree = ast.parse(Path(hub_models.__file__).read_text())
    (checking,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(checking.test) == "TYPE_CHECKING"
    imports = [node for node in checking.body if isinstance(node, ast.ImportFrom)]
    # `name as name` is how a re-export is marked (PEP 484).
    seen = {(n.module, a.name) for n in imports for a in n.names if a.name == a.asname}
    assert seen == {(getattr(hub_models, name).__module__, name) for name in NAMES[1:]} | {
        ("hub_models.architectures", "ARCHITECTURES")
    }


def test_names_not_yet_imported_are_completed() -> None:
    code = "import hub_models; print('ImageClassifier' in dir(hub_models), end='')"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True"


# What may be imported beside the interpreter's own start: `typing` and the package itself.
@pytest.mark.parametrize(
    ("statement", "most"),
    [
        ("import hub_models", 8),
        ("from hub_models import ConfigError, ModelConfig, PreprocessConfig", 40),
    ],
)
def test_an_import_brings_few_modules(statement: str, most: int) -> None:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    brought = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert len(brought) <= most, brought
    assert not {"torch", "torchvision", "huggingface_hub", "numpy", "PIL"} & set(brought)


def test_the_version_is_the_same_in_the_package_the_project_and_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == hub_models.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = next(v for v in re.findall(r"^## \[(.+?)\]", changelog, re.M) if v != "Unreleased")
    assert newest == hub_models.__version__


def test_the_package_says_it_is_typed() -> None:
    assert (Path(hub_models.__file__).parent / "py.typed").is_file()
