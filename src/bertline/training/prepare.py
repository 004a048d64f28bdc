"""From a table to the rows of each split: read, split, keep duplicates out of the evaluation side, tokenise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bertline.data.duplicates import cross_duplicates, normalise
from bertline.data.examples import Dataset, Example, check_head, read_examples
from bertline.data.fingerprint import Fingerprint, fingerprint
from bertline.data.shared_names import check_shared_names
from bertline.data.split import connected, stratified_split
from bertline.data.table import file_format
from bertline.data.targets import strata
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import DataError, SettingsError
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Reader, Tokenizer, Truncation
from bertline.text.reading import Input, joined, query_of, texts_of
from bertline.text.truncation import Policy
from bertline.training.facts import Fact, reading_facts, split_facts, target_facts
from bertline.training.few_shot.check import check_few, hints
from bertline.training.progress import Progress
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings

Examples = tuple[Example, ...]


@dataclass(frozen=True)
class Prepared:
    """The examples of each split, the spec, and the facts for the report and the card."""

    source: str
    spec: TaskSpec
    train: Examples
    validation: Examples
    test: Examples
    fingerprint: Fingerprint
    test_fingerprint: Fingerprint
    facts: tuple[Fact, ...]

    @property
    def splits(self) -> dict[str, Examples]:
        """Examples by the name of their split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def spec_type(source: str, settings: TrainSettings) -> type[TaskSpec]:
    """What the spec of the model will be, before a table is read.

    Raises:
        SettingsError: there is no such task.
    """
    entities = settings.entities_column is not None or file_format(source, settings.format) == "conll"
    embeds = settings.negative_column is not None or bool(settings.matryoshka)
    ranks = settings.query_column is not None or settings.score_column is not None
    found = "tag" if entities else "embed" if embeds else "rank" if ranks else "classify"
    try:
        spec: type[TaskSpec] = task(settings.task or found).spec.Spec
    except ValueError as error:
        raise SettingsError(f"{error}; correct --task") from None
    return spec


def prepare(source: str, settings: TrainSettings, progress: Progress) -> Prepared:
    """Read ``source`` (and the evaluation table, if one is given) and split it.

    Raises:
        SettingsError: the settings of the task contradict each other.
        DataError: the table or one of its rows cannot be used, or too few rows are left to train or evaluate.
    """
    chosen = spec_type(source, settings)
    kind = chosen.kind_to_learn(settings)
    if settings.eval_data is not None:  # before all of DATA is read
        check_head(str(settings.eval_data), settings.beside(settings.eval_data), kind)
    dataset = read_examples(
        source, settings, kind=kind, group_column=settings.group_column, slice_columns=settings.slice_columns
    )
    spec = chosen.of(dataset, settings)
    if settings.class_weights == "balanced" and not spec.weighable:
        raise SettingsError("class_weights is 'balanced', which is for one label per text: leave it out")
    if not spec.apart and (settings.matryoshka or settings.negative_column is not None):
        name = "matryoshka" if settings.matryoshka else "negative_column"
        raise SettingsError(f"{name} is set, which is for embedders: leave it out, or set task to embed")
    check_embedder(spec, settings)
    facts = reading_facts(dataset)
    if settings.few_shot:
        check_few(spec, dataset, settings)
        return _all_to_learn(source, dataset, spec, facts, settings, progress)
    train, validation, test = _split(dataset, spec, settings)
    removed: dict[str, str] = {}
    if not settings.keep_duplicates:
        own = partial(own_texts, spec)
        train, shared = _without_shared(train, (*validation, *(() if settings.eval_data else test)), own, spec)
        validation, in_validation = _without_duplicates(train, validation, own)
        test, in_test = _without_duplicates((*train, *validation), test, own)
        removed = {"training": shared, "validation": in_validation, "test": in_test}
    for name, some in (("validation", validation), ("test", test)):
        if not some:
            raise DataError(
                f"{source} leaves no {name} rows that are not duplicates of training rows: give more rows, "
                "or --keep-duplicates to evaluate on the repeated ones"
            )
    unit = "queries" if spec.reads == "query" else "rows"
    facts += split_facts({"train": train, "validation": validation, "test": test}, removed, settings, unit)
    facts += [*target_facts(dataset, spec, test), *hints(spec, dataset)]
    return _prepared(source, dataset, spec, (train, validation, test), facts, progress)


def _all_to_learn(
    source: str, dataset: Dataset, spec: TaskSpec, facts: list[Fact], settings: TrainSettings, progress: Progress
) -> Prepared:
    """Rows of few-shot training: all train, and cross-validation evaluates unless there is a table for that.

    Raises:
        DataError: all rows of the table for evaluation are duplicates of training rows.
    """
    train = test = dataset.examples
    if settings.eval_data is not None:
        test, left_out = _read_evaluation(settings.eval_data, dataset, spec, settings), ""
        if not settings.keep_duplicates:
            test, left_out = _without_duplicates(train, test, partial(own_texts, spec))
        if not test:
            raise DataError(f"{settings.eval_data} has only duplicates of training rows: give other rows")
        facts += split_facts({"train": train, "test": test}, {"test": left_out}, settings)
    facts += target_facts(dataset, spec, test)
    return _prepared(source, dataset, spec, (train, train, test), facts, progress)


def _prepared(
    source: str,
    dataset: Dataset,
    spec: TaskSpec,
    splits: tuple[Examples, Examples, Examples],
    facts: Sequence[Fact],
    progress: Progress,
) -> Prepared:
    for name, value in facts:
        progress.note(f"{name}: {value}")
    tested = fingerprint(replace(dataset, examples=splits[2]))
    return Prepared(Path(source).name, spec, *splits, fingerprint(dataset), tested, tuple(facts))


def check_embedder(spec: TaskSpec, settings: TrainSettings) -> None:
    """Check that no setting is given that an embedder takes no notice of.

    Raises:
        SettingsError: there is one.
    """
    if not spec.apart:
        return
    if "truncation" in settings.model_fields_set and settings.truncation != "head":
        raise SettingsError(f"truncation is {settings.truncation!r}, but an embedder reads the head: leave it out")
    if "head" in settings.model_fields_set:
        raise SettingsError("head is set, but an embedder has none: leave it out")


def policy(spec: TaskSpec, settings: TrainSettings) -> Policy:
    """How long texts are read.

    Outputs for each token need all tokens, so window by window; ``sentence-transformers`` reads the head.
    """
    if spec.apart:
        return "head"
    return "window" if OUTPUTS[spec.output].by_token else settings.truncation


def tokenise(examples: Sequence[Example], tokenizer: Tokenizer, spec: TaskSpec, settings: TrainSettings) -> Rows:
    """Rows of one split as the training loop takes them."""
    truncation = Truncation(settings.max_tokens, policy(spec, settings))
    reader = Reader(tokenizer, truncation, offsets=spec.offsets, apart=spec.apart)
    readings = reader.read([example.input for example in examples])
    return Rows(
        readings, [example.target for example in examples], [example.line for example in examples], tokenizer.pad_id
    )


def _split(dataset: Dataset, spec: TaskSpec, settings: TrainSettings) -> tuple[Examples, Examples, Examples]:
    examples = dataset.examples
    given = settings.eval_data is not None
    split = stratified_split(
        strata(dataset.targets),
        groups=_groups(dataset, spec, settings),
        validation_ratio=settings.validation_ratio,
        test_ratio=0.0 if given else settings.test_ratio,
        seed=settings.seed,
    )
    test = tuple(examples[i] for i in split.test)
    if settings.eval_data is not None:
        test = _read_evaluation(settings.eval_data, dataset, spec, settings)
    return tuple(examples[i] for i in split.train), tuple(examples[i] for i in split.validation), test


def _groups(dataset: Dataset, spec: TaskSpec, settings: TrainSettings) -> list[str] | None:
    """What keeps rows in one part: the values of the group column, a ranker's queries, an embedder's pairs.

    Raises:
        DataError: two rows of one query are in different groups.
    """
    if spec.apart and dataset.examples[0].pair is not None:
        return _groups_of_pairs(dataset.examples)
    if spec.reads != "query":
        return [example.group or "" for example in dataset.examples] if settings.group_column else None
    queries = [normalise(example.text) for example in dataset.examples]
    if not settings.group_column:
        return queries
    first: dict[str, Example] = {}
    for query, example in zip(queries, dataset.examples, strict=True):
        if (other := first.setdefault(query, example)).group != example.group:
            raise DataError(
                f"{dataset.source} has the query {example.text[:60]!r} in two groups, {other.group!r} in line "
                f"{other.line} and {example.group!r} in line {example.line}: give all rows of a query one group"
            )
    return [example.group or query for query, example in zip(queries, dataset.examples, strict=True)]


def _groups_of_pairs(examples: Sequence[Example]) -> list[str]:
    """Pairs that share a text, directly or through other pairs, or the value of the group column, are one group.

    The negative of a triplet does not count, because it is often the positive of another row. Where one group would
    have most rows all the same, pairs with the same first text are one, and ``_without_shared`` does the rest.
    """
    keys: list[list[Hashable]] = [
        [*map(normalise, texts_of(one.input)[:2]), *([] if one.group is None else [("group", one.group)])]
        for one in examples
    ]
    groups = connected(keys)
    if 2 * max(Counter(groups).values()) <= len(groups):
        return groups
    return connected([[own[0], *own[2:]] for own in keys])


def _without_shared(
    train: Examples, held_out: Examples, own: Callable[[Input], tuple[str, ...]], spec: TaskSpec
) -> tuple[Examples, str]:
    """The training rows of an embedder with none of their ``own`` texts in a held-out row; and how many have one.

    Raises:
        DataError: all have one.
    """
    if not spec.apart:
        return train, ""
    texts = {normalise(text) for example in held_out for text in own(example.input)}
    kept = tuple(one for one in train if texts.isdisjoint(map(normalise, own(one.input))))
    if not kept:
        raise DataError(
            "every training row shares a text with a row that is held out: give rows with more different texts, or "
            "--keep-duplicates to evaluate on texts that were trained on"
        )
    return kept, f"{len(train) - len(kept)} exact" if len(kept) < len(train) else ""


def _read_evaluation(path: Path, dataset: Dataset, spec: TaskSpec, settings: TrainSettings) -> Examples:
    table = read_examples(
        str(path),
        settings.beside(path),
        kind=spec.kind,
        pairs=spec.pairs,
        group_column=settings.group_column,
        slice_columns=settings.slice_columns,
        trainable=False,
        like=dataset,
    )
    check_shared_names(table, spec.names, "of the training rows")
    return table.examples


def own_texts(spec: TaskSpec, one: Input) -> tuple[str, ...]:
    """The texts of an input that must not stand on both sides: of a ranker the query, of an embedder two of a row."""
    if spec.apart:
        return texts_of(one)[:2]
    return (query_of(one) if spec.reads == "query" else joined(one),)


def _without_duplicates(
    reference: Sequence[Example], candidates: Examples, own: Callable[[Input], tuple[str, ...]]
) -> tuple[Examples, str]:
    """The candidates with none of their ``own`` texts in the reference; and how many have one."""
    known, texts = (
        [*dict.fromkeys(text for example in some for text in own(example.input))] for some in (reference, candidates)
    )
    kinds = {texts[pair.candidate]: pair.kind for pair in cross_duplicates(known, texts)}
    of_each = [[kinds[text] for text in own(example.input) if text in kinds] for example in candidates]
    kept = tuple(example for example, of in zip(candidates, of_each, strict=True) if not of)
    counts = Counter(min(of) for of in of_each if of)  # "exact" before "near"
    return kept, f"{counts['exact']} exact and {counts['near']} near" if kinds else ""
