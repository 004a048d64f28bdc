"""NannyML's CBPE on the windows of ``benchmarks.drift``.

    python benchmarks/peers/drift_accuracy.py TASK.json OUT.json

Called as its documentation shows it; the new window is one chunk. Its bounds are three standard errors of sampling.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"


def main() -> None:
    """Estimate the accuracy of each new window."""
    import nannyml
    import pandas as pd

    results = []
    for pair in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        names = pair["names"]
        columns = {name: f"p_{name}" for name in names}

        def frame(part: dict[str, Any], names: list[str] = names) -> Any:
            table = pd.DataFrame(part["probabilities"], columns=[f"p_{name}" for name in names])
            table["said"], table["truth"] = part["said"], part["truth"]
            if len(names) == 2:  # it reads two classes as 0 and 1
                for one in ("said", "truth"):
                    table[one] = (table[one] == names[1]).astype(int)
            return table

        known, new = frame(pair["known"]), frame(pair["new"])
        estimator = nannyml.CBPE(
            problem_type="classification_binary" if len(names) == 2 else "classification_multiclass",
            y_pred="said",
            y_pred_proba=columns[names[1]] if len(names) == 2 else columns,
            y_true="truth",
            metrics=["accuracy"],
            chunk_size=len(new),
        )
        estimator.fit(known)
        found = estimator.estimate(new.drop(columns="truth")).filter(period="analysis").to_df()["accuracy"].iloc[0]
        low, high = found["lower_confidence_boundary"], found["upper_confidence_boundary"]
        results.append({"value": float(found["value"]), "low": float(low), "high": float(high)})
    Path(sys.argv[2]).write_text(json.dumps(results))


if __name__ == "__main__":
    main()
