"""The tokenizer classes of ``transformers`` that rebuild a tokenizer from its vocabulary, as data.

Source: the classes of these names in ``transformers`` 5.24.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors

from bertline.errors import CheckpointError
from bertline.text.tokenizer_settings import BERT, CAMEMBERT, ROBERTA, XLM_ROBERTA, Kind, switch

SPECIALS: Mapping[str, str] = MappingProxyType(
    {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
)
FAIRSEQ_SPECIALS: Mapping[str, str] = MappingProxyType(
    {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "cls_token": "<s>",
        "mask_token": "<mask>",
    }
)
_METASPACE = "▁"
_CAMEMBERT_EXTRA = ("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED")

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """``tokenizer_config.json``: its content and its path."""

    content: Mapping[str, Any]
    place: Path

    def switch(self, name: str, default: bool) -> bool:
        """A setting that is true or false."""
        return bool(switch(self.place, self.content, name, default))


@dataclass(frozen=True, slots=True)
class TokenizerClass:
    """One class.

    Attributes:
        model: type of its model in ``tokenizer.json``; None takes the vocabulary of any.
        files: its vocabulary, if there is no ``tokenizer.json``; none if bertline cannot read it.
        specials: token of each role.
        build: from the model and the normaliser in the form of ``tokenizer.json``, the settings and the unknown token.
        processor: the post-processor, from the token and id of [CLS] and [SEP], and the settings.
        settings: those of ``tokenizer_config.json`` that it reads.
        extra: its other special tokens, unless a file names some.
    """

    model: str | None
    files: tuple[str, ...]
    specials: Mapping[str, str | AddedToken]
    build: Callable[[Part, Part, Settings, str], tokenizers.Tokenizer]
    processor: Callable[[tuple[str, int], tuple[str, int], Settings], Any]
    settings: frozenset[str]
    extra: tuple[str, ...] = ()

    def read_files(self, directory: Path) -> Part:
        """The model in the form of ``tokenizer.json``, from ``files``.

        Raises:
            CheckpointError: one of them cannot be read.
        """
        paths = [str(directory / name) for name in self.files]
        try:
            if self.model is None:  # the last of equal lines counts, trailing white space does not
                return {"vocab": dict(models.WordPiece.read_file(*paths))}
            vocabulary, merges = models.BPE.read_file(*paths)
        except Exception as error:  # the Rust side raises bare Exception
            raise CheckpointError(
                f"{' and '.join(paths)} cannot be read as a vocabulary ({error}): copy it again from the model's source"
            ) from error
        return {"vocab": vocabulary, "merges": merges}


def template(cls: tuple[str, int], sep: tuple[str, int], *, separators: int = 1, second: int = 1) -> Any:
    """The template [CLS], text, [SEP]; for a pair also ``separators`` − 1 more [SEP], the other text and another [SEP].

    Args:
        cls: token and id.
        sep: token and id.
        separators: number of [SEP] between two texts.
        second: segment of the second text and its [SEP].
    """
    between = f" {sep[0]}:0" * separators
    return processors.TemplateProcessing(
        single=f"{cls[0]}:0 $A:0 {sep[0]}:0",
        pair=f"{cls[0]}:0 $A:0{between} $B:{second} {sep[0]}:{second}",
        special_tokens=[cls, sep],
    )


def _bert(model: Part, normalizer: Part, settings: Settings, unknown: str) -> tokenizers.Tokenizer:
    built = tokenizers.Tokenizer(models.WordPiece(model["vocab"], unk_token=unknown))
    built.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.switch("tokenize_chinese_chars", True),
        strip_accents=switch(settings.place, settings.content, "strip_accents", None),
        lowercase=settings.switch("do_lower_case", True),
    )
    built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    built.decoder = decoders.WordPiece(prefix="##")
    return built


def _roberta(model: Part, normalizer: Part, settings: Settings, unknown: str) -> tokenizers.Tokenizer:
    merges = [one.split(" ") if isinstance(one, str) else one for one in model["merges"]]
    pairs = [(one, other) for one, other in merges]
    bpe = models.BPE(dict(model["vocab"]), pairs, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False)
    built = tokenizers.Tokenizer(bpe)
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=settings.switch("add_prefix_space", False))
    built.decoder = decoders.ByteLevel()
    return built


def _sentencepiece(
    vocabulary: list[tuple[str, float]], unknown_id: int, normalizer: Part, settings: Settings
) -> tokenizers.Tokenizer:
    built = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=unknown_id, byte_fallback=False))
    for one in (normalizer, *normalizer.get("normalizers", ())):
        if one.get("type") == "Precompiled":
            built.normalizer = normalizers.Precompiled(base64.b64decode(one["precompiled_charsmap"]))
            break
    scheme = "always" if settings.switch("add_prefix_space", True) else "never"
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(_METASPACE, prepend_scheme=scheme)]
    )
    built.decoder = decoders.Metaspace(_METASPACE, prepend_scheme=scheme)
    return built


def _xlm_roberta(model: Part, normalizer: Part, settings: Settings, unknown: str) -> tokenizers.Tokenizer:
    return _sentencepiece([(token, score) for token, score in model["vocab"]], 3, normalizer, settings)


def _camembert(model: Part, normalizer: Part, settings: Settings, unknown: str) -> tokenizers.Tokenizer:
    vocabulary = [(token, score) for token, score in model["vocab"]]
    unknown_id = next((i for i, (token, _) in enumerate(vocabulary) if token == unknown), 0)
    return _sentencepiece(vocabulary, unknown_id, normalizer, settings)


def _bert_processor(cls: tuple[str, int], sep: tuple[str, int], settings: Settings) -> Any:
    return template(cls, sep)


def _roberta_processor(cls: tuple[str, int], sep: tuple[str, int], settings: Settings) -> Any:
    trim, prefix = settings.switch("trim_offsets", True), settings.switch("add_prefix_space", False)
    return processors.RobertaProcessing(sep, cls, trim, prefix)


def _sentencepiece_processor(cls: tuple[str, int], sep: tuple[str, int], settings: Settings) -> Any:
    return template(cls, sep, separators=2, second=0)


CLASSES: Mapping[Kind, TokenizerClass] = MappingProxyType(
    {
        BERT: TokenizerClass(
            model=None,
            files=("vocab.txt",),
            specials=SPECIALS,
            build=_bert,
            processor=_bert_processor,
            settings=frozenset(("do_lower_case", "tokenize_chinese_chars", "strip_accents")),
        ),
        ROBERTA: TokenizerClass(
            model="BPE",
            files=("vocab.json", "merges.txt"),
            specials=FAIRSEQ_SPECIALS,
            build=_roberta,
            processor=_roberta_processor,
            settings=frozenset(("add_prefix_space", "trim_offsets")),
        ),
        XLM_ROBERTA: TokenizerClass(
            model="Unigram",
            files=(),
            specials=FAIRSEQ_SPECIALS,
            build=_xlm_roberta,
            processor=_sentencepiece_processor,
            settings=frozenset(("add_prefix_space",)),
        ),
        CAMEMBERT: TokenizerClass(
            model="Unigram",
            files=(),
            specials={**FAIRSEQ_SPECIALS, "mask_token": AddedToken("<mask>", lstrip=True, special=True)},
            build=_camembert,
            processor=_sentencepiece_processor,
            settings=frozenset(("add_prefix_space",)),
            extra=_CAMEMBERT_EXTRA,
        ),
    }
)
