"""Arguments and flags that the verbs about embedded texts share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertline.cli.bundle_argument import bundle_argument

Bundle = Annotated[Path, bundle_argument("Bundle of the model that embeds the texts.")]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="Table with a text column, .txt file with a text on each line, or directory of an index."
    ),
]
Output = Annotated[str | None, typer.Option("--output", "-o", help="Table to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file that --output names.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
