"""``tokenizer_config.json``: the tokenizer's class, and the settings that this class uses.

Source: ``transformers`` 5.24 (``AutoTokenizer``, ``BertTokenizer``, ``RobertaTokenizer``, ``TokenizersBackend``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from bertline.errors import CheckpointError
from bertline.text.json_file import read_json

FILE = "tokenizer_config.json"
Kind = Literal[
    "BertTokenizer", "RobertaTokenizer", "XLMRobertaTokenizer", "CamembertTokenizer", "PreTrainedTokenizerFast"
]
BERT: Kind = "BertTokenizer"
ROBERTA: Kind = "RobertaTokenizer"
XLM_ROBERTA: Kind = "XLMRobertaTokenizer"
CAMEMBERT: Kind = "CamembertTokenizer"
AS_IT_IS: Kind = "PreTrainedTokenizerFast"

# By the name without "Fast", which transformers ignores.
_CLASSES: dict[str, Kind] = {
    **dict.fromkeys(("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"), BERT),
    **{kind: kind for kind in (ROBERTA, XLM_ROBERTA, CAMEMBERT)},
    **dict.fromkeys(("PreTrainedTokenizer", "TokenizersBackend", "PythonBackend"), AS_IT_IS),
}
# By the model_type, where no file names a class.
_OF_MODELS: dict[str, Kind] = {
    **dict.fromkeys(("bert", "distilbert", "electra"), BERT),
    "roberta": ROBERTA,
    "xlm-roberta": XLM_ROBERTA,
    "camembert": CAMEMBERT,
}

# Settings of BertTokenizer's normaliser, with their names in tokenizer.json.
NORMALISATION = {
    "do_lower_case": "lowercase",
    "tokenize_chinese_chars": "handle_chinese_chars",
    "strip_accents": "strip_accents",
}
# Settings of transformers' former Python tokenizers, with the values that have no effect.
_OF_EARLIER_CLASSES: dict[str, tuple[object, ...]] = {
    "clean_text": (True,),
    "do_basic_tokenize": (True,),
    "never_split": (None, []),
    "wordpieces_prefix": ("##",),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
    "do_word_tokenize": (True,),
    "do_subword_tokenize": (True,),
    "mecab_kwargs": (None,),
    "sudachi_kwargs": (None,),
    "jumanpp_kwargs": (None,),
    "add_bos_token": (None, False),
    "add_eos_token": (None, False),
    "add_prefix_space": (None, False),
    "trim_offsets": (None, True),
    "sp_model_kwargs": (None, {}),
}
# Settings that bertline does not support, with the values that have no effect.
_REFUSED: dict[str, tuple[object, ...]] = {
    "auto_map": (None,),
    "fast_tokenizer_files": (None, []),
    "init_inputs": (None, []),
    "split_special_tokens": (None, False),
    **dict.fromkeys(("vocab", "merges", "post_processor", "tokenizer_object"), (None,)),
    **dict.fromkeys(("tokenizer_padding", "tokenizer_truncation"), (None,)),
}
_SIDES = {
    "padding_side": "bertline pads on the right",
    "truncation_side": "bertline truncates as --truncation says",
}
# Settings that do not affect the ids of a text, or that other modules read.
_KNOWN = frozenset(
    (
        *("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens", "special_tokens_map_file"),
        *("model_max_length", "max_len", "max_length", "stride", "truncation", "truncation_strategy"),
        *("padding", "pad_to_multiple_of", "pad_token_type_id", "model_input_names", "return_token_type_ids"),
        *("tokenizer_class", "tokenizer_file", "full_tokenizer_file", "vocab_file", "vocab_size", "files_loaded"),
        *("name_or_path", "_name_or_path", "_commit_hash", "is_local", "local_files_only", "transformers_version"),
        *("backend", "use_fast", "legacy", "verbose", "device", "processor_class", "chat_template"),
        *("clean_up_tokenization_spaces", "errors"),
    )
)


def class_of(directory: Path, config: Mapping[str, Any], *, serialised: bool) -> Kind:
    """The class with which ``AutoTokenizer`` builds the tokenizer of ``directory``.

    Args:
        directory: of the checkpoint; its ``config.json`` may name the class too.
        config: content of its ``tokenizer_config.json``.
        serialised: whether it has a ``tokenizer.json``.

    Raises:
        CheckpointError: a class that bertline does not know.
    """
    model = read_json(directory / "config.json")
    name, origin = config.get("tokenizer_class"), directory / FILE
    if not name:
        name, origin = model.get("tokenizer_class"), directory / "config.json"
    if not name:
        return _OF_MODELS.get(str(model.get("model_type")), AS_IT_IS if serialised else BERT)
    kind = _CLASSES.get(str(name).removesuffix("Fast"))
    if kind is None:
        *first, last = get_args(Kind)
        raise CheckpointError(
            f"{origin} names the tokenizer class {name}: bertline reads {', '.join(first)} and {last}"
        )
    return kind


def require_known(path: Path, config: Mapping[str, Any]) -> None:
    """Reject settings that change ids in ``transformers`` but not here.

    Raises:
        CheckpointError: there is such a setting.
    """
    for name, harmless in _REFUSED.items():
        if name in config and config[name] not in harmless:
            raise CheckpointError(f"{path} sets {name}, which bertline does not read: choose a checkpoint without it")
    for name in _SIDES:
        if config.get(name, "right") not in ("left", "right"):
            raise CheckpointError(f"{path} sets {name} to {config[name]!r}: it must be left or right")


def switch(path: Path, config: Mapping[str, Any], name: str, default: bool | None) -> bool | None:
    """The value of a setting of ``NORMALISATION``; it may be null only if ``default`` is None.

    Raises:
        CheckpointError: the value has another type.
    """
    value = config.get(name, default)
    if not isinstance(value, bool) and (value is not None or default is not None):
        raise CheckpointError(f"{path} sets {name} to {value!r}: it must be true or false")
    return value


def ignored_settings(
    path: Path, config: Mapping[str, Any], kind: Kind, normalizer: Mapping[str, Any], known: frozenset[str]
) -> Iterator[str]:
    """A warning for each setting that has no effect in ``transformers``, and so none here.

    Args:
        path: of ``tokenizer_config.json``.
        config: its content.
        kind: the tokenizer's class.
        normalizer: of the built tokenizer, in the form of ``tokenizer.json``.
        known: settings that the class uses.
    """
    for name, value in config.items():
        if name in known:
            continue
        if name in _SIDES:
            if value != "right":
                yield f"{path} sets {name} to {value!r}, but {_SIDES[name]}"
        elif name in NORMALISATION:
            if value != normalizer.get(NORMALISATION[name]):
                yield _no_effect(path, name, value, kind)
        elif name in _OF_EARLIER_CLASSES:
            if value not in _OF_EARLIER_CLASSES[name]:
                yield _no_effect(path, name, value, kind)
        elif name not in _KNOWN and name not in _REFUSED and not name.endswith("_token"):
            yield _no_effect(path, name, value, kind)


def _no_effect(path: Path, name: str, value: object, kind: Kind) -> str:
    return f"{path} sets {name} to {value!r}, which neither a {kind} of transformers nor bertline uses"
