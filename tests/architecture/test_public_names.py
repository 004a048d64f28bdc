"""What the packages promise by name exists, and the version is one fact."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from pathlib import Path

import pytest

import bertline
from bertline import errors

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = sorted(
    ".".join(path.parent.relative_to(SOURCE).parts) for path in (SOURCE / "bertline").rglob("__init__.py")
)


def test_the_packages_are_found() -> None:
    assert {"bertline", "bertline.text", "bertline.data", "bertline.bundle", "bertline.cli"} <= set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_has_a_docstring_and_every_name_it_promises(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__
    promised = getattr(package, "__all__", [])
    assert not [one for one in promised if not hasattr(package, one)]


def test_the_version_is_the_one_of_the_installed_package() -> None:
    assert bertline.__version__ == version("bertline")


PUBLIC = {
    *("load", "import_model", "train", "pretrain", "evaluate", "distill", "optimize", "index", "__version__"),
    *("Model", "Answers", "Report", "Index"),
    *(
        "BertlineError",
        "UsageError",
        "SettingsError",
        "RegistryError",
        "StoreError",
        "DataError",
        "CheckpointError",
        "ClusterError",
        "BundleError",
        "DestinationError",
    ),
    *("TrainingError", "Interrupted", "BertlineWarning", "CheckpointWarning", "EngineWarning"),
}


def test_the_public_surface_is_exactly_this_and_documented() -> None:
    assert set(bertline.__all__) == PUBLIC
    assert set(dir(bertline)) >= PUBLIC
    assert not [name for name in PUBLIC - {"__version__"} if not getattr(bertline, name).__doc__]


def test_every_error_and_warning_of_the_package_is_handed_out() -> None:
    kinds = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert kinds <= PUBLIC


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (
            "Model",
            "anatomy counter embed engine explain fill labels max_tokens name nearest predict rank scan similarity "
            "tag task version zero_shot",
        ),
        ("Answers", "by count index labels texts to_dict to_dicts to_pandas to_rows"),
        ("Index", "clusters duplicates nearest path rows vectors"),
        ("Report", "bundle names notes record rows title to_dict to_pandas to_rows"),
    ],
)
def test_a_result_has_these_members_each_documented(kind: str, members: str) -> None:
    value = getattr(bertline, kind)
    public = {name for name in dir(value) if not name.startswith("_")}
    assert public == set(members.split())
    own = [getattr(value, name) for name in public if name in vars(value)]
    assert not [one for one in own if (callable(one) or isinstance(one, property)) and not one.__doc__]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'bertline' has no attribute 'lod'"):
        bertline.lod  # noqa: B018
