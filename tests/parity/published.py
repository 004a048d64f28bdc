"""Checkpoints as people publish them, drawn at random: a tokenizer in any of its forms beside a small model.

Every draw is one that a directory on a hub may hold. Most are sound, some contradict themselves.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from tests.parity.peers import hf_classifier

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FAMILIES = ("bert", "distilbert")
LETTERS = ("a", "b", "e", "é", "E", "A", "x", "中", "文", "ﬁ", "!", ".", "-", "1")
WORDS = ("film", "Film", "good", "naïve", "naive", "##s", "##e", "##x", "中文", "url", "[", "]", "don", "'", "t", "fi")
PROBES = (
    "",
    "a film",
    "A GOOD FILM, naïve films x1",
    "don't [URL] that[URL]s  [URL]! [url]",
    "中文 ﬁlm É e\u0301 \u200b\x00 tab\tnew\nline",
    "[CLS] a [MASK] b [SEP] [PAD] <ent> <ENT>a",
    "xxxx " + "x" * 120 + " filmsex",
)


@dataclass(frozen=True)
class Draw:
    """A checkpoint in ``directory``; ``model`` computes what its weights are to compute."""

    directory: Path
    model: Any


def draw(seed: int, directory: Path) -> Draw:
    """Write the checkpoint of a seed."""
    rng = random.Random(seed)
    _write_tokenizer(rng, directory)
    return Draw(directory, _write_model(rng, directory))


def often(rng: random.Random, chance: float) -> bool:
    """True with that chance."""
    return rng.random() < chance


# ------------------------------------------------------------------------------------------------- tokenizers


def _write_tokenizer(rng: random.Random, directory: Path) -> None:
    words = [*SPECIALS, *rng.sample([*LETTERS, *WORDS], rng.randint(12, 24))]
    if often(rng, 0.2):
        rng.shuffle(words)
    if often(rng, 0.05):
        words.remove(rng.choice(SPECIALS))
    forms = rng.choice((("vocab.txt",), ("tokenizer.json",), ("vocab.txt", "tokenizer.json")))
    if "vocab.txt" in forms:
        lines = list(words)
        if often(rng, 0.15):
            lines.insert(rng.randrange(len(lines)), rng.choice(words))
        end = rng.choice(("\n", "\n", "\n", "\r\n", " \n"))
        (directory / "vocab.txt").write_bytes("".join(line + end for line in lines).encode())
    fast = _fast(rng, words)
    added = [token for token in ("[URL]", "<ent>", "film", "[url]") if often(rng, 0.25)]
    if "tokenizer.json" in forms:
        fast.add_special_tokens([one for one in SPECIALS if one in words and often(rng, 0.95)])
        fast.add_tokens([_token(rng, one) for one in added if often(rng, 0.7)])
        fast.save(str(directory / "tokenizer.json"))
    config = _settings(rng, words, added, len(words))
    if config is not None:
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    if often(rng, 0.25):
        start = len(words) + (1 if often(rng, 0.1) else 0)
        (directory / "added_tokens.json").write_text(json.dumps({one: start + i for i, one in enumerate(added)}))
    if often(rng, 0.3):
        (directory / "special_tokens_map.json").write_text(json.dumps(_special_map(rng, added)))


def _fast(rng: random.Random, words: list[str]) -> tokenizers.Tokenizer:
    ids = {word: i for i, word in enumerate(words)}
    kind = rng.choices(("WordPiece", "prefix", "WordLevel", "BPE", "Unigram"), (6, 1, 1, 1, 1))[0]
    if kind == "WordLevel":
        model: Any = models.WordLevel(ids, unk_token="[UNK]")
    elif kind == "BPE":
        model = models.BPE(ids, [], unk_token="[UNK]")
    elif kind == "Unigram":
        model = models.Unigram([(word, -1.0 - i / 9) for i, word in enumerate(words)], unk_id=0)
    elif kind == "prefix":
        model = models.WordPiece(
            ids, unk_token="[UNK]", continuing_subword_prefix=rng.choice(("##", "@@")), max_input_chars_per_word=4
        )
    else:
        model = models.WordPiece(ids, unk_token="[UNK]")
    fast = tokenizers.Tokenizer(model)
    fast.normalizer = rng.choice(
        (
            normalizers.BertNormalizer(lowercase=True),
            normalizers.BertNormalizer(lowercase=False),
            normalizers.BertNormalizer(lowercase=True, strip_accents=False, handle_chinese_chars=False),
            normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
            normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
            normalizers.Replace("a", "e"),
        )
    )
    fast.pre_tokenizer = rng.choice(
        (
            pre_tokenizers.BertPreTokenizer(),
            pre_tokenizers.BertPreTokenizer(),
            pre_tokenizers.Whitespace(),
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True)]),
        )
    )
    if "[CLS]" in ids and "[SEP]" in ids and often(rng, 0.9):
        cls, sep = ("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])
        fast.post_processor = rng.choice(
            (
                processors.BertProcessing(sep, cls),
                processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[cls, sep]),
                processors.RobertaProcessing(sep, cls),
            )
        )
    return fast


def _token(rng: random.Random, content: str) -> AddedToken:
    return AddedToken(
        content,
        lstrip=often(rng, 0.3),
        rstrip=often(rng, 0.3),
        single_word=often(rng, 0.3),
        normalized=often(rng, 0.5),
        special=often(rng, 0.3),
    )


def _flags(token: AddedToken) -> dict[str, Any]:
    names = ("content", "lstrip", "rstrip", "single_word", "normalized", "special")
    return {name: getattr(token, name) for name in names}


CLASSES = ("BertTokenizer", "BertTokenizerFast", "DistilBertTokenizerFast", "PreTrainedTokenizerFast")
ODD = {
    "never_split": ["film"],
    "do_basic_tokenize": False,
    "wordpieces_prefix": "@@",
    "padding_side": "left",
    "truncation_side": "left",
    "model_max_length": 8,
    "word_tokenizer_type": "mecab",
    "split_special_tokens": True,
    "clean_up_tokenization_spaces": True,
    "invented": 3,
    "additional_special_tokens": ["[URL]"],
    "extra_special_tokens": ["<ent>"],
    "url_token": "[URL]",
    "bos_token": "[CLS]",
    "mask_token": None,
    "cls_token": "film",
    "pad_token": {"__type": "AddedToken", "content": "[PAD]", "lstrip": True, "normalized": False},
    "sep_token": {"content": "[SEP]"},
    "do_lower_case": None,
    "strip_accents": True,
}


def _settings(rng: random.Random, words: list[str], added: list[str], size: int) -> dict[str, Any] | None:
    if often(rng, 0.2):
        return None
    config: dict[str, Any] = {}
    if often(rng, 0.7):
        config["tokenizer_class"] = rng.choice(CLASSES)
    if often(rng, 0.05):
        config["tokenizer_class"] = rng.choice(("BertJapaneseTokenizer", "OurOwnTokenizer", "RobertaTokenizer"))
    for name in ("do_lower_case", "tokenize_chinese_chars", "strip_accents"):
        if often(rng, 0.4):
            config[name] = often(rng, 0.5)
    for name in rng.sample(sorted(ODD), rng.choices((0, 1, 2), (5, 3, 1))[0]):
        config[name] = ODD[name]
    if often(rng, 0.25):
        there = {words.index(one): AddedToken(one, special=True) for one in SPECIALS if one in words}
        there |= {size + i: _token(rng, one) for i, one in enumerate(one for one in added if one not in words)}
        config["added_tokens_decoder"] = {str(id_): _flags(token) for id_, token in there.items()}
    return config


def _special_map(rng: random.Random, added: list[str]) -> dict[str, Any]:
    content: dict[str, Any] = {"cls_token": "[CLS]", "mask_token": _flags(_token(rng, "[MASK]"))}
    if often(rng, 0.5):
        content["additional_special_tokens"] = list(added)
    return content


# ------------------------------------------------------------------------------------------------- models

ACTIVATIONS = (
    "gelu",
    "gelu_new",
    "gelu_python",
    "gelu_fast",
    "swish",
    "silu",
    "relu",
    "gelu_accurate",
    "gelu_python_tanh",
)


def _write_model(rng: random.Random, directory: Path) -> Any:
    family = rng.choice(FAMILIES)
    rows = rng.choices((32, 36, 64, 20), (4, 3, 3, 1))[0]
    model = _model(rng, family, rows)
    content = json.loads(json.dumps(model.config.to_dict()))
    for name in ("dtype", "transformers_version"):
        content.pop(name, None)
    content["architectures"] = [f"{'Bert' if family == 'bert' else 'DistilBert'}ForSequenceClassification"]
    if often(rng, 0.2):
        del content["model_type"]
        if often(rng, 0.5):
            del content["architectures"]
    if often(rng, 0.05):
        content[rng.choice(("max_position_embeddings", "vocab_size"))] += 2
    if often(rng, 0.05):
        content["id2label"] = {str(i): str(i) for i in range(5)}
    (directory / "config.json").write_text(json.dumps(content))
    tensors = _published_names(rng, {name: one.clone() for name, one in model.state_dict().items()}, family)
    if often(rng, 0.7):
        save_file(tensors, directory / "model.safetensors")
    else:
        wrapper = rng.choice((None, "state_dict", "model"))
        torch.save(tensors if wrapper is None else {wrapper: tensors, "epoch": 3}, directory / "pytorch_model.bin")
    return model


def _model(rng: random.Random, family: str, rows: int) -> Any:
    from transformers import BertConfig, DistilBertConfig

    torch.manual_seed(rng.randrange(10**6))
    act = "gelu_10" if often(rng, 0.03) else rng.choice(ACTIVATIONS)
    if family == "bert":
        config: Any = BertConfig(
            vocab_size=rows,
            hidden_size=12,
            num_attention_heads=3,
            num_hidden_layers=1,
            intermediate_size=16,
            max_position_embeddings=160,
            hidden_act=act,
        )
    else:
        config = DistilBertConfig(
            vocab_size=rows, dim=12, n_heads=3, n_layers=1, hidden_dim=16, max_position_embeddings=160, activation=act
        )
    return hf_classifier(config, labels=3)


def _published_names(rng: random.Random, tensors: dict[str, Tensor], family: str) -> dict[str, Tensor]:
    if often(rng, 0.2):  # the encoder alone, under its bare names
        tensors = {name.removeprefix(f"{family}."): one for name, one in tensors.items() if name.startswith(family)}
    if often(rng, 0.2):
        tensors = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): one
            for name, one in tensors.items()
        }
    wrapper = rng.choices(("", "module.", "model.", "_orig_mod.", "module._orig_mod.", "net."), (6, 1, 1, 1, 1, 1))[0]
    tensors = {wrapper + name: one for name, one in tensors.items()}
    if often(rng, 0.2):
        tensors |= {"crf.transitions": torch.ones(3, 3), "lstm.weight_ih_l0": torch.ones(4, 12)}
    if often(rng, 0.05):
        tensors.pop(rng.choice(sorted(tensors)))
    return tensors
