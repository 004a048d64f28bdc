"""``bertline generate``: continue a text with a causal language model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

EPILOG = 'Example: bertline generate small-lm "The film" --max-tokens 40 --temperature 0.8 --top-k 40 --stop "."'


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(generate)


def generate(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Output of bertline pretrain --causal.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Beginning of the text; may be empty.")],
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Maximum tokens to generate.")] = 50,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Divides the logits; 0 always takes the most probable token.")
    ] = 0.0,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Choose among so many most probable tokens; by default all.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", help="End before this string; repeatable.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Random seed of the choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the continuation and its tokens as JSON.")] = False,
) -> None:
    """Continue a text with a causal language model, token by token.

    A small model trained on little text imitates its style, and has no knowledge. Each token takes a pass over the
    whole text before it.
    """
    from bertline.encoder.generation import Sampling
    from bertline.encoder.generation import generate as run
    from bertline.encoder.network import load_causal
    from bertline.encoder.source import find_model
    from bertline.text import Tokenizer

    sampling, directory = Sampling(temperature, top_k, seed), find_model(str(model))
    network, tokenizer = load_causal(directory), Tokenizer.from_directory(directory)
    generated = run(network, tokenizer, text, max_tokens=max_tokens, sampling=sampling, stop=stop or ())
    typer.echo(json.dumps(generated.to_json(), ensure_ascii=False) if as_json else text + generated.text)
