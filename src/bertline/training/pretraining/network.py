"""The network to pre-train: a fresh one of a given shape, or a published encoder with its language-model head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from bertline.bundle.fields import MANIFEST
from bertline.encoder.agreement import load_tokenizer
from bertline.encoder.checkpoint import read_config
from bertline.encoder.config import EncoderConfig
from bertline.encoder.masked import MaskedLanguageModel, load_masked
from bertline.encoder.neighbours import look_at_neighbours
from bertline.encoder.source import find_model
from bertline.errors import SettingsError
from bertline.text import Tokenizer
from bertline.training.pretraining.settings import PretrainSettings

FRESH = ("family", "layers", "hidden", "heads", "feed_forward", "start")
OF_MASKING = ("mask_share", "whole_words", "mask_only")


@dataclass(frozen=True)
class Network:
    """What a run begins with.

    Attributes:
        model: with the dropout of pre-training.
        config: of its checkpoint, with the dropout of fine-tuning.
        tokenizer: of the texts.
        fresh: which of its parts are random: ``all`` of it, its ``head``, or None.
    """

    model: MaskedLanguageModel
    config: EncoderConfig
    tokenizer: Tokenizer
    fresh: str | None

    @property
    def parameters(self) -> int:
        """Their number."""
        return sum(one.numel() for one in self.model.parameters())


def open_network(settings: PretrainSettings) -> Network:
    """The network by ``settings``; random parts follow from the seed.

    Raises:
        SettingsError: the settings contradict each other, or the base.
        CheckpointError: the base or the vocabulary cannot be read.
    """
    _check(settings)
    torch.manual_seed(settings.seed)
    if settings.vocab is not None:
        tokenizer = open_tokenizer(settings)
        config = _fresh_config(settings, tokenizer)
        model = MaskedLanguageModel(config.with_dropout(settings.dropout))
        if settings.start == "neighbours":
            look_at_neighbours(model.encoder)
        return Network(model, config, tokenizer, "all")
    directory = find_model(str(settings.model))
    config, _ = read_config(directory, causal=None if settings.causal else False)
    if settings.sequence_tokens > config.max_tokens:
        raise SettingsError(
            f"sequence_tokens is {settings.sequence_tokens}, but {settings.model} has {config.max_tokens} "
            f"positions: give at most {config.max_tokens}"
        )
    if settings.causal and "causal" not in config.description.entries:
        raise SettingsError(
            f"causal needs a family with a causal language model, which {config.family} has not: leave it out, or give "
            "another --model"
        )
    tokenizer = open_tokenizer(settings)
    if settings.whole_words and not tokenizer.prefix:
        raise SettingsError(
            f"whole_words needs a tokenizer whose further pieces of a word begin with ##, which {settings.model} does "
            "not have: leave it out"
        )
    model, has_head = load_masked(directory, dropout=settings.dropout, causal=settings.causal)
    return Network(model, replace(config, causal=settings.causal), tokenizer, None if has_head else "head")


def open_tokenizer(settings: PretrainSettings) -> Tokenizer:
    """That of the vocabulary, or of the model to continue from.

    Raises:
        SettingsError: the settings contradict each other.
        CheckpointError: it cannot be read.
    """
    _check(settings)
    if settings.vocab is not None:
        return Tokenizer.from_directory(find_model(str(settings.vocab)))
    directory = find_model(str(settings.model))
    return load_tokenizer(directory, bundle=(directory / MANIFEST).is_file())


def _check(settings: PretrainSettings) -> None:
    if (settings.model is None) == (settings.vocab is None):
        raise SettingsError(
            "give either --model to continue from an encoder, or --vocab to start from scratch"
            + ("" if settings.model is None else ", not both")
        )
    fresh = [name for name in FRESH if name in settings.model_fields_set]
    if settings.model is not None and fresh:
        raise SettingsError(
            f"{', '.join(fresh)} cannot be chosen with --model, which has a shape and weights of its own: leave "
            f"{'it' if len(fresh) == 1 else 'them'} out, or start from scratch with --vocab"
        )
    of_masking = [name for name in OF_MASKING if name in settings.model_fields_set]
    if settings.causal and of_masking:
        raise SettingsError(
            f"{', '.join(of_masking)} cannot be chosen with --causal, which hides no token: leave "
            f"{'it' if len(of_masking) == 1 else 'them'} out"
        )
    if settings.causal and settings.family == "distilbert":
        raise SettingsError("causal needs --family bert: transformers has no causal language model of distilbert")
    if settings.hidden % settings.heads:
        raise SettingsError(
            f"hidden is {settings.hidden}, which {settings.heads} attention heads do not divide: change --hidden or "
            "--heads"
        )


def _fresh_config(settings: PretrainSettings, tokenizer: Tokenizer) -> EncoderConfig:
    return EncoderConfig(
        family=settings.family,
        vocab_size=tokenizer.vocab_size,
        hidden=settings.hidden,
        layers=settings.layers,
        heads=settings.heads,
        feed_forward=settings.feed_forward,
        max_positions=settings.sequence_tokens,
        segments=2 if settings.family == "bert" else 0,
        pad_id=tokenizer.pad_id,
        causal=settings.causal,
    )
