"""SetFit on the draws of ``benchmarks.few_shot``, in an environment of its own.

    python benchmarks/peers/setfit_draws.py DRAWS.json CHECKPOINT OUT.json

At the package's defaults: one epoch over the pairs, 16 of them a batch, rate 2e-5, then logistic regression; without
the checkpoints and evaluations that only cost time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer the test texts after each draw, and write them with the seconds and steps of training."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.linear_model import LogisticRegression

    torch.set_num_threads(1)
    content, checkpoint, out = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2], Path(sys.argv[3])
    results: list[dict[str, Any]] = []
    for number, draw in content["draws"].items():
        body = SentenceTransformer(checkpoint, device="cpu")
        model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1000))
        rows = Dataset.from_dict({"text": [row[0] for row in draw], "label": [row[1] for row in draw]})
        arguments = TrainingArguments(
            output_dir=str(out.with_suffix("")),
            seed=int(number),
            sampling_strategy=content["sampling"],
            save_strategy="no",
            report_to="none",
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
        answers = [str(answer) for answer in model.predict(content["test"])]
        results.append({"answers": answers, "seconds": seconds, "steps": trainer.st_trainer.state.global_step})
    out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
