"""``bertline explain``: the words that an answer rests on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import bundle_argument, fetched
from bertline.cli.settings_flags import with_settings
from bertline.errors import UsageError
from bertline.explanation.settings import ExplainSettings

if TYPE_CHECKING:
    from rich.text import Text

    from bertline.explanation.changes import ChangedWord, Counter, Turn
    from bertline.explanation.found import Explanation, Part
    from bertline.explanation.nearest import Near
    from bertline.inference import TextClassifier
    from bertline.text import Input

EPILOG = (
    'Examples: bertline explain reviews "I liked the movie, but hated the score." · bertline explain reviews '
    '"I liked the movie, but hated the score." --label positive --json'
)
SHOWN = 12  # words in the table
STRONG = 0.5  # of the largest share, from which a word is bold


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(ExplainSettings)(explain))


def explain(
    bundle: Annotated[Path, bundle_argument("Directory of the bundle.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text.")],
    settings: ExplainSettings,
    text_pair: Annotated[
        str | None, typer.Option("--text-pair", metavar="TEXT", help="The second text, for a model that reads pairs.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The label to explain. [the one that the model gives]")] = None,
    span: Annotated[
        str | None,
        typer.Option(metavar="START:END", help="Of a tagger: the characters to explain. [the first entity]"),
    ] = None,
    counter: Annotated[
        bool, typer.Option("--counter", help="Also find the smallest change of words that turns the model's answer.")
    ] = False,
    replacements: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="Bundle that fills in words: the change replaces words by ones that it proposes. Implies --counter.",
            parser=fetched,
        ),
    ] = None,
    nearest: Annotated[
        int, typer.Option(min=0, metavar="N", help="Also show the N nearest labelled texts that the bundle carries.")
    ] = 0,
    engine: Annotated[str | None, typer.Option(help="Engine to use. [the bundle's first]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which words speak for an answer and which against it, by what the model says without them.

    Shares are log-odds. With the base, which is what the model says of no words, they add up to the answer. Needs no
    PyTorch: the engine that answers also explains.
    """
    from bertline.explanation.counter import counter_evidence
    from bertline.explanation.explain import explain as run
    from bertline.explanation.proposals import filling
    from bertline.inference import load_predictor

    predictor = load_predictor(bundle, engine=engine)
    if predictor.spec.pairs != (text_pair is not None):
        raise UsageError(
            f"{bundle} reads pairs of texts: give the second one with --text-pair"
            if predictor.spec.pairs
            else f"--text-pair is for models that read pairs, and {bundle} reads single texts: leave it out"
        )
    one: Input = text if text_pair is None else (text, text_pair)
    filler = None if replacements is None else load_predictor(replacements)
    if filler is not None:
        filling(filler, one)  # before the explanation, which takes long
    found = run(predictor, one, settings, label, None if span is None else characters(span))
    wanted = counter or filler is not None
    turned = counter_evidence(predictor, one, settings, filler=filler, name=label) if wanted else None
    near = _nearest(bundle, predictor, one, nearest) if nearest else []
    if as_json:
        content = found.to_json() | ({} if turned is None else {"counter": turned.to_json()})
        content |= {"nearest": [row.to_json() | {"has_label": row.has(found.name)} for row in near]} if nearest else {}
        typer.echo(json.dumps(content, ensure_ascii=False))
        return
    show(one, found)
    for sentence in [*([] if turned is None else turning(turned)), *map(nearness, near)]:
        typer.echo(sentence)


def _nearest(bundle: Path, predictor: TextClassifier, one: Input, most: int) -> list[Near]:
    from bertline.explanation.nearest import kept_rows
    from bertline.inference import load_predictor

    embedder = load_predictor(bundle, output="embedding")
    kept = kept_rows(bundle, predictor.spec, embedder.embed)
    return kept.near(embedder.embed([one])[0], most)


def turning(found: Counter) -> list[str]:
    """Counter-evidence in lines."""
    cost = f"It took {found.answers:,} answers of the model"
    cost += f" and {found.proposals:,} of the masked language model." if found.proposals else "."
    why = [] if found.why is None else [found.why]
    some = "one word" if found.ruled_out == 1 else f"up to {found.ruled_out} words"
    tried = f": all changes of {some} were tried" if found.ruled_out else ""
    if not found.words:
        return [f"No change was found that turns the answer ({found.label}){tried}. {cost}", *why]
    if len(found.words) > 1:
        cost = f"{'No fewer words do' if found.least else f'Fewer may do{tried}'}. {cost}"
    lines = [f"Before: {' / '.join(found.before)}", f"After:  {' / '.join(found.texts)}"]
    first, *others = (_turn(one, found.label) for one in (found.first, *found.others))
    return [*lines, f"{first} {cost}", *why, *(f"Also: {one}" for one in others)]


def _turn(one: Turn, before: str) -> str:
    """A change in a sentence, with the answer before it."""
    from bertline.statistics.figures import percent

    def named(word: ChangedWord) -> str:
        return f"{word.replacement} ({percent(word.probability or 0)}) for {word.text}"

    replaced = [named(word) for word in one.words if word.replacement is not None]
    what = f"With {', '.join(replaced)}" if replaced else f"Without {', '.join(word.text for word in one.words)}"
    return f"{what} the answer is {one.turned} ({percent(one.shown)}) instead of {before}."


def nearness(row: Near) -> str:
    """A near text in a line."""
    texts = row.text if row.text_pair is None else f"{row.text} / {row.text_pair}"
    return f"{row.similarity:.2f}  {row.target}  {texts}"


def characters(span: str) -> tuple[int, int]:
    """The characters that START:END names.

    Raises:
        UsageError: it names none.

    >>> characters("7:13")
    (7, 13)
    """
    start, _, end = span.partition(":")
    if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise UsageError(f"--span {span} names no characters: give START:END, such as 0:6")
    return int(start), int(end)


def show(one: Input, found: Explanation) -> None:
    """Print the text in colours, the largest shares, and how far to trust them."""
    from rich.console import Console
    from rich.table import Table

    from bertline.statistics.figures import percent
    from bertline.text.reading import texts_of

    console = Console(highlight=False, markup=False)
    said = percent(found.shown) if found.unit == "log-odds" else f"{found.shown:.3g}"
    about = "" if found.span is None else f"  {texts_of(one)[0][slice(*found.span)]}"
    console.print(f"{found.name}  {said}{about}", style="bold")
    for side, text in enumerate(texts_of(one)):
        console.print(coloured(text, [part for part in found.words if part.word.side == side], _largest(found)))
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("word", overflow="fold")
    table.add_column(f"share, {found.unit}", justify="right", no_wrap=True)
    for part in found.top(SHOWN):
        error = "" if part.error is None else f" ± {sized(part.error, found.unit)}"
        table.add_row(part.word.text, f"{signed(part.share, found.unit)}{error}")
    console.print()
    console.print(table)
    for line in together(found):
        console.print(line, soft_wrap=True)
    for sentence in sentences(found):
        console.print(sentence, style="dim", soft_wrap=True)


def sentences(found: Explanation) -> list[str]:
    """What the shares mean, in sentences."""
    from bertline.statistics.figures import PERCENT

    unit, without = found.unit, "Without any word" if found.completeness_error is None else "Of the baseline"
    base, value = signed(found.base, unit), signed(found.value, unit)
    about = [f"{without} the model says {base}; all words together make it {value}."]
    if found.method == "leave-one-out":
        about = ["Each word was left out alone, so shares do not add up."]
    if found.completeness_error is not None:
        about.append(f"Completeness error: {100 * found.completeness_error:.2g}{PERCENT}.")
    if found.cut_tokens:
        about.append(f"{found.cut_tokens:,} tokens were cut, and no word of them has a share.")
    if found.faithfulness is not None:
        falls = (found.faithfulness.comprehensiveness, found.faithfulness.sufficiency)
        go, stay = (signed(fall, unit) for fall in falls)
        about.append(
            f"Faithfulness: {go} when the words with the largest shares go (high is good), {stay} when only they stay "
            "(low is good)."
        )
    passes = "answers" if found.completeness_error is None else "forward and backward passes"
    return [*about, f"{found.answers:,} {passes} of the model, {found.method}."]


def together(found: Explanation) -> list[str]:
    """Phrases, each with its words, in lines."""
    if found.phrases is None:
        return []
    if not found.phrases:
        return ["No words were found that do more or less together than alone."]
    lines = []
    for phrase in found.phrases:
        alone = ", ".join(
            f"{found.words[place].word.text} {signed(share, found.unit)}"
            for place, share in zip(phrase.words, phrase.alone, strict=True)
        )
        lines.append(f"Together: {found.text_of(phrase)} {signed(phrase.share, found.unit)}; alone: {alone}")
    return lines


def coloured(text: str, parts: list[Part], largest: float) -> Text:
    """A text whose words are coloured by their shares: blue for, orange against."""
    from rich.text import Text

    shown = Text(text)
    for part in parts:
        strength = abs(part.share) / largest
        if strength > STRONG / 5:
            colour = "blue" if part.share > 0 else "dark_orange"
            shown.stylize(f"bold {colour}" if strength > STRONG else colour, part.word.start, part.word.end)
    return shown


def sized(value: float, unit: str) -> str:
    """A figure: log-odds are of one size whatever the model, and a number may be a price or a part of a thousandth.

    >>> sized(0.5, "log-odds"), sized(0.00123, "number"), sized(45678.9, "number")
    ('0.50', '0.00123', '45,680')
    """
    return f"{value:.2f}" if unit != "number" else f"{float(f'{value:.4g}'):,.10g}"


def signed(value: float, unit: str) -> str:
    """A figure with its sign.

    >>> signed(-0.5, "log-odds")
    '−0.50'
    """
    figure = sized(abs(value), unit)
    return f"{'−' if value < 0 and figure.strip('0.') else '+'}{figure}"


def _largest(found: Explanation) -> float:
    return max(abs(part.share) for part in found.words) or 1.0
