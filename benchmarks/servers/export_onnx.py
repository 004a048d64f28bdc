"""A checkpoint as Infinity's onnx engine wants it: the files of the hub's layout and an export by optimum, no other.

    python export_onnx.py CHECKPOINT OUT

Runs in Infinity's environment. The graph is optimized here (O2): Infinity's own step names an option that optimum 2 no
longer has, and would leave it as exported.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from optimum.onnxruntime import AutoOptimizationConfig, ORTModelForSequenceClassification, ORTOptimizer

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def main(checkpoint: Path, out: Path) -> None:
    """Write the directory, complete or not at all."""
    made = out.with_name(f".{out.name}")
    shutil.rmtree(made, ignore_errors=True)
    model = ORTModelForSequenceClassification.from_pretrained(checkpoint, export=True)
    ORTOptimizer.from_pretrained(model).optimize(AutoOptimizationConfig.O2(), save_dir=made)
    (made / "model_optimized.onnx").rename(made / "model.onnx")
    for name in FILES:
        shutil.copy(checkpoint / name, made / name)
    made.rename(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
