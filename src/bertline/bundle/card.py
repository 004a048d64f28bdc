"""The model card: ``README.md`` of a bundle, in the Hugging Face hub's format.

Everything it states comes from the manifest. Of the free-form parts it reads

- ``metrics``: ``rows`` and ``split`` (how many and which), and figures, each a number or an object with ``value``,
  ``low``, ``high``; ``baselines`` by name, each with figures of the same names; ``words`` of a bundle that keeps the
  linear model of words, with the ``accuracy`` of it and the ``encoder_accuracy`` on so many ``rows`` of validation;
- ``data``: ``source``, and all other entries as a table;
- ``training`` and ``lineage``: as tables; of ``lineage`` also ``base_model``, ``license`` and ``language``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from bertline.bundle.engine import WORDS
from bertline.bundle.figures import Figure, baseline_figures, figures
from bertline.bundle.front_matter import front_matter
from bertline.bundle.manifest import Manifest
from bertline.statistics.figures import INTERVAL
from bertline.statistics.figures import value as written
from bertline.tasks.contract import score_key

_SHOWN_LABELS = 50
SCORES = ("accuracy", "micro_f1", "r2", "f1", "ndcg_at_10")  # of which a model has one; higher is better
_EMBEDDER = """\
`sentence-transformers` loads it and gives the same vectors:

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer({})
vectors = model.encode(["a text", "another text"])
```"""
_MARKUP = {"&": "&amp;", "<": "&lt;", "|": "&#124;", "`": "&#96;", "[": "&#91;", "*": "&#42;", "_": "&#95;"}


def model_card(manifest: Manifest, mask: str = "[MASK]") -> str:
    """``README.md`` of the bundle: YAML front matter, then what a reader of the hub's cards looks for.

    Args:
        manifest: of the bundle.
        mask: what stands for a word to fill in.
    """
    origin = {"written by": f"bertline {manifest.bertline_version}", "written at": manifest.created}
    sections = {
        "Use": f"{_use_bertline(manifest, mask)}\n\n{_use_transformers(manifest, mask)}",
        "Results": _results(manifest),
        **_words(manifest),
        **({"Engines": _engines(manifest)} if any(engine.measured for engine in manifest.engines) else {}),
        "Data": _table(manifest.data),
        "Training": _table(manifest.training),
        "Limitations": _limitations(manifest),
        "Lineage": _table({**manifest.lineage, **origin}),
    }
    body = "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())
    return f"{front_matter(manifest)}\n# {_text(manifest.name)}\n\n{_summary(manifest)}\n{body}"


def _summary(manifest: Manifest) -> str:
    if manifest.task.output == "vocabulary":
        return (
            f"A masked language model: it fills in words for [MASK]. It reads up to {manifest.max_tokens} tokens of a "
            "text at\na time, and longer texts in windows."
        )
    if manifest.task.output == "embedding":
        pooled = {"mean": "the mean of the states of its tokens", "cls": "the state of its first token"}
        shown = pooled.get(manifest.pooling, "the state of its first token, passed through a dense layer and tanh")
        normalised = ", divided by its length" * bool(getattr(manifest.task, "normalised", False))
        return (
            f"An embedder: the vector of a text is {shown}{normalised}. The cosine of two vectors says how alike the\n"
            f"texts are. It reads up to {manifest.max_tokens} tokens of a text."
        )
    if manifest.task.task == "rank":
        scores = "probabilities" if manifest.task.activation == "sigmoid" else "grades, as in the training data"
        return (
            f"A cross-encoder: it reads a query together with a text, up to {manifest.max_tokens} tokens of both, and "
            f"scores how relevant the text is.\nScores are {scores}."
        )
    heads = {
        "mean": "The head is ours: the mean of the last hidden states of the real tokens, then one linear layer.",
        "normalised": "The head is ours: the mean of the last hidden states of the real tokens, divided by its length, "
        "then one linear layer.",
        "none": "The head is one linear layer on the last hidden state of each token.",
        "cls": "The classification head is the architecture's own, on the first token.",
    }
    calibrated = (
        ""
        if manifest.task.activation == "none"
        else f" Its probabilities are calibrated by temperature scaling (temperature {manifest.temperature:.3f})."
    )
    return (
        f"{_answers(manifest)}\n{heads[manifest.pooling]}\n"
        f"It reads up to {manifest.max_tokens} tokens of a text{' at a time' * (manifest.truncation == 'window')}."
        f"{calibrated}"
    )


def _answers(manifest: Manifest) -> str:
    """What the model predicts, in a sentence."""
    if manifest.task.task == "tag":
        types = list(dict.fromkeys(label.partition("-")[2] for label in manifest.labels if "-" in label))
        return f"A tagger: it finds entities of {len(types)} types: {_names(types)}."
    if manifest.task.activation == "none":
        return f"A regression model: it predicts the number {_names(manifest.labels)}."
    several = " A text may have several." * (manifest.task.activation == "sigmoid")
    texts = "pairs of texts" if manifest.task.pairs else "texts"
    return f"A classifier of {texts} with {len(manifest.labels)} labels: {_names(manifest.labels)}.{several}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f"**{_text(one)}**" for one in names[:_SHOWN_LABELS])
    rest = len(names) - _SHOWN_LABELS
    return f"{shown}{f' and {rest} more' * (rest > 0)}"


def _engines(manifest: Manifest) -> str:
    """The figures of ``optimize`` as a table. The first engine answers by default."""
    measured_on = {str(engine.measured["processor"]) for engine in manifest.engines if "processor" in engine.measured}
    place = _text(", ".join(sorted(measured_on))) or "the machine that measured it"
    score = next(
        (str(engine.measured["score"]) for engine in manifest.engines if "score" in engine.measured), "accuracy"
    )
    lines = [
        f"The first engine answers. Speed is of {place}; {score} is of the test rows.\n",
        f"| engine | texts/s | one text, ms | MB | memory, MB | {score} |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for engine in manifest.engines:
        names = ("texts_per_s", "p50_ms", "megabytes", "memory_mb", f"test_{score_key(score)}")
        figures = [engine.measured.get(name) for name in names]
        shown = [f"{x:,.1f}" if isinstance(x, float | int) else "" for x in figures[:4]]
        value = written(score, figures[4]) if isinstance(figures[4], float) else ""
        lines.append(f"| {_text(engine.name)} | {' | '.join(shown)} | {value} |")
    return "\n".join(lines)


def _use_bertline(manifest: Manifest, mask: str) -> str:
    name = shlex.quote(manifest.name)
    texts = {"rank": '"a query" --text-pair "a text"', "fill": f'"a {mask}"'}.get(manifest.task.task, '"a text"')
    return f"```sh\nbertline predict {name} {texts}\nbertline serve {name}\n```"


def _use_transformers(manifest: Manifest, mask: str) -> str:
    if manifest.task.output == "vocabulary":
        return f"""\
`transformers` gives the same words with the same scores:

```python
from transformers import pipeline

print(pipeline("fill-mask", model={json.dumps(manifest.name, ensure_ascii=False)})("a {mask}"))
```"""
    directory = json.dumps(manifest.name, ensure_ascii=False)
    if manifest.task.output == "embedding":
        return _EMBEDDER.format(directory)
    if manifest.pooling in ("mean", "normalised"):
        return (
            "**The head is ours.** `transformers.AutoModel` loads the encoder from this directory, but no\n"
            "class of `transformers` has this head: labels and probabilities come from bertline alone."
        )
    if manifest.task.task == "rank":
        return f"""\
`sentence-transformers` loads it and gives the same scores:

```python
from sentence_transformers import CrossEncoder

model = CrossEncoder({directory}, max_length={manifest.max_tokens})
ranking = model.rank("a query", ["a text", "another text"])
```"""
    tail = (
        f"\n\nOf a text longer than {manifest.max_tokens} tokens `transformers` reads the first ones only; "
        "bertline reads\nthe first and the last, which is what the figures below were measured with."
    )
    return f"""\
`transformers` computes the same logits; it does not know the temperature, so divide by it:

```python
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

directory = {directory}
tokenizer = AutoTokenizer.from_pretrained(directory)
model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
batch = tokenizer(["a text"], truncation=True, max_length={manifest.max_tokens}, return_tensors="pt")
with torch.inference_mode():
    probabilities = (model(**batch).logits / {manifest.temperature!r}).softmax(-1)
```{tail * (manifest.truncation == "head_tail")}"""


def _results(manifest: Manifest) -> str:
    ours, baselines = figures(manifest.metrics), baseline_figures(manifest.metrics)
    if not ours:
        return "Not measured."
    rows, split = manifest.metrics.get("rows"), manifest.metrics.get("split")
    size = f"{rows:,} rows" if isinstance(rows, int) else "rows"
    which = f" ({_text(split)})" if split else ""
    head = ["figure", "this model", INTERVAL, *map(_text, baselines)]
    lines = [
        [figure.title, figure.text, figure.interval]
        + [other[name].text if name in other else "" for other in baselines.values()]
        for name, figure in ours.items()
    ]
    return f"Measured on {size} that were not trained on{which}.\n\n{_grid(head, lines)}{_behind(ours, baselines)}"


def _behind(ours: Mapping[str, Figure], baselines: Mapping[str, Mapping[str, Figure]]) -> str:
    """A paragraph about the best simpler model with a higher score than this one; nothing where there is none."""
    score = next((name for name in SCORES if name in ours), None)
    others = {name: one[score].value for name, one in baselines.items() if score in one} if score else {}
    best = max(others, key=lambda name: others[name], default=None)
    if score is None or best is None or others[best] <= ours[score].value:
        return ""
    titled = f"{ours[score].title} {baselines[best][score].text} instead of {ours[score].text}"
    return f"\n\n**A simpler model is ahead on these rows: {_text(best)} has the {titled}.** It is smaller and faster."


def _words(manifest: Manifest) -> dict[str, str]:
    """The section about the linear model of words, if the bundle keeps it."""
    kept = manifest.metrics.get(WORDS)
    if not isinstance(kept, dict):
        return {}
    own, encoder = (written("accuracy", float(str(kept[name]))) for name in ("accuracy", "encoder_accuracy"))
    name = shlex.quote(manifest.name)
    text = (
        f"On {kept['rows']:,} validation rows, a linear model of words has the accuracy {own} and the encoder "
        f"{encoder}. The bundle\nkeeps it as the engine `{WORDS}`, which answers on request:\n\n"
        f"```sh\nbertline evaluate {name} DATA --engine {WORDS}\nbertline serve {name} --engine {WORDS}\n```"
    )
    return {"The linear model of words": text}


def _limitations(manifest: Manifest) -> str:
    if manifest.task.output == "vocabulary":
        return """\
- A word is one entry of the vocabulary: a word that the vocabulary has in several pieces is never filled in whole.
- Of several [MASK] in a text, the words for each are chosen without regard to those for the others.
- The probabilities are not calibrated, and words repeat the bias of the texts that the model was trained on."""
    if manifest.task.output == "embedding":
        return f"""\
- A cosine orders texts by likeness; it is no probability, and what counts as alike depends on the training data.
- Of a text longer than {manifest.max_tokens} tokens it reads a part; bertline reports how many were cut.
- The vectors repeat the bias of the texts that the model was trained on."""
    read = "the first and the last ones" if manifest.truncation == "head_tail" else "only the first ones"
    always = f"It always answers with one of its {len(manifest.labels)} labels, also for a text that fits none of them."
    if manifest.task.task == "rank":
        always = "It orders the texts that it is given, also where none of them is relevant."
    return f"""\
- {always}
- The figures and the calibration hold for texts like those it was measured on; another source, topic, time
  or language needs a measurement of its own.
- Of a text longer than {manifest.max_tokens} tokens it reads {read}; bertline reports how many were cut.
- The training data carry the judgement of those who labelled them, and the model repeats it, mistakes and
  bias included."""


def _table(facts: Mapping[str, JsonValue]) -> str:
    lines = [[_text(key), _text(value)] for key, value in _flat(facts, "")]
    return _grid(["entry", "value"], lines) if lines else "Not recorded."


def _flat(facts: Mapping[str, JsonValue], prefix: str) -> Iterator[tuple[str, JsonValue]]:
    for key, value in facts.items():
        name = prefix + key.replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{name}: ")
        else:
            yield name, value


def _grid(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *lines])


def _text(value: JsonValue) -> str:
    """A value as plain text inside Markdown: on one line and without markup of its own."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    for mark, entity in _MARKUP.items():
        text = text.replace(mark, entity)
    return " ".join(text.split())
