"""The verbs for Python programs: what ``import bertline`` hands out.

``load`` opens a bundle as a ``Model``, and ``import_model`` makes one of a published checkpoint; ``train``,
``pretrain``, ``evaluate``, ``distill`` and ``optimize`` do what the commands of these names do, and return a
``Report``; ``index`` embeds texts, and its ``Index`` finds nearest ones, clusters and duplicates. Nothing here knows a
terminal, and torch is imported only by the verbs that need it.
"""

from bertline.library.answers import Answers
from bertline.library.indexing import Index, index
from bertline.library.loading import import_model, load
from bertline.library.model import Model
from bertline.library.report import Report
from bertline.library.verbs import distill, evaluate, optimize, pretrain, train

__all__ = [
    "Answers", "Index", "Model", "Report", "distill", "evaluate", "import_model", "index", "load", "optimize",
    "pretrain", "train",
]  # fmt: skip
