"""bertline: the production line for BERT encoders, from labelled text to a monitored service.

bertline.train("reviews.csv", out="reviews")
bertline.load("reviews").predict(["warm and funny"])
"""

import os as _os

__version__ = "0.1.0"

# Nothing that bertline is built on reports to its maker, whatever the environment says. Here, because libraries read
# these variables when they are imported, and child processes inherit them. onnxruntime sends the names and hashes of
# models to Microsoft and keeps an id in the home directory (since 1.29, on Linux); huggingface-hub counts downloads by
# the library that asked for them; Ray counts clusters and what runs on them; MLflow reports calls of its functions, and
# reads DO_NOT_TRACK only as "true".
_os.environ.update(
    ORT_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", RAY_USAGE_STATS_ENABLED="0",
    MLFLOW_DISABLE_TELEMETRY="true",
)  # fmt: skip

# What a program may use, and where it lives. A name is imported when it is first used, so that ``import bertline``
# costs nothing: the command line imports it too. ``__init__.pyi`` says the same to type checkers and editors.
_HOMES = {
    **dict.fromkeys(
        (
            "Answers", "Index", "Model", "Report", "distill", "evaluate", "import_model", "index", "load", "optimize",
            "pretrain", "train",
        ),
        "bertline.library",
    ),
    **dict.fromkeys(
        (
            "BertlineError", "BertlineWarning", "BundleError", "CheckpointError", "CheckpointWarning", "ClusterError",
            "DataError", "DestinationError", "EngineWarning", "Interrupted", "RegistryError", "SettingsError",
            "StoreError", "TrainingError", "UsageError",
        ),
        "bertline.errors",
    ),
}  # fmt: skip
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bertline' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
