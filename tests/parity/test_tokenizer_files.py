"""Each file and setting of a published tokenizer counts as it does for ``AutoTokenizer``, or is refused by name."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, pipeline

from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier
from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text import Reader, Tokenizer, Truncation
from tests.parity.peers import widen

pytestmark = pytest.mark.peer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "an", "AN", "awful", "film", "Film", "##s", "ü", "u", "中", "x"]
TEXTS = (
    "AN AWFUL FILM",
    "an awful films, Film",
    "see [URL] and[URL]s,  [URL]  x [url] <ent>",
    "Ü ü ÜFILM 中x ﬁlm",
    "[CLS] a[MASK] b [SEP] film[MASK]  x",
)
SPECIAL = WORDS[:5]


def write(directory: Path, words: list[str] | None = WORDS, fast: Any = None, **files: Any) -> Path:
    """A checkpoint's tokenizer: ``vocab.txt`` unless there is a ``tokenizer.json``, and JSON files by their stems."""
    if fast is not None:
        fast.save(str(directory / "tokenizer.json"))
    elif words is not None:
        (directory / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    for stem, content in {"config": {"model_type": "bert"}, **files}.items():
        (directory / f"{stem}.json").write_text(json.dumps(content))
    return directory


def fast_tokenizer(model: Any = None, **parts: Any) -> tokenizers.Tokenizer:
    """A ``tokenizer.json``: plain BERT's, but for the parts that are given."""
    ids = {word: i for i, word in enumerate(WORDS)}
    fast = tokenizers.Tokenizer(model or models.WordPiece(ids, unk_token="[UNK]"))
    fast.normalizer = parts.get("normalizer", normalizers.BertNormalizer(lowercase=True))
    fast.pre_tokenizer = parts.get("pre_tokenizer", pre_tokenizers.BertPreTokenizer())
    template = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    fast.post_processor = parts.get("post_processor", template)
    fast.add_special_tokens(SPECIAL)
    return fast


def ids(tokenizer: Tokenizer) -> list[list[int]]:
    return [one.piece.ids for one in Reader(tokenizer, Truncation(100_000)).read(TEXTS)]


def theirs(directory: Path) -> list[list[int]]:
    found: list[list[int]] = AutoTokenizer.from_pretrained(directory)(list(TEXTS))["input_ids"]
    return found


def assert_equal(directory: Path) -> Tokenizer:
    """Read without a warning, with the ids of ``AutoTokenizer``; a bundle too, written from it."""
    ours = Tokenizer.from_directory(directory)
    expected = theirs(directory)
    assert ids(ours) == expected
    saved = directory / "saved"
    saved.mkdir()
    ours.save(saved)
    assert theirs(saved) == ids(Tokenizer.from_bundle(saved)) == expected
    return ours


def settings_of(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "tokenizer_config.json").read_text())
    return content


def flags(content: str, **changes: bool) -> dict[str, Any]:
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": False}
    return {"content": content, **plain, **changes}


# ------------------------------------------------------------------------------------------------- T2: added tokens


def test_added_tokens_next_to_a_vocabulary(tmp_path: Path) -> None:
    """T2: ``added_tokens.json``, as ``resize_token_embeddings`` goes with; ``[URL]`` was ``[UNK] u ##r ##l``."""
    ours = assert_equal(write(tmp_path, added_tokens={"[URL]": 15, "<ent>": 16}))
    assert ours.tokens([15, 16]) == ["[URL]", "<ent>"]
    assert ours.vocab_size == 17


@pytest.mark.parametrize("flag", ["lstrip", "rstrip", "single_word", "normalized", "special"])
@pytest.mark.parametrize("serialised", [False, True])
def test_the_flags_of_an_added_token(tmp_path: Path, flag: str, serialised: bool) -> None:
    """T2: ``added_tokens_decoder`` in ``tokenizer_config.json``, whatever form the vocabulary has."""
    decoder = {str(i): flags(token, special=True) for i, token in enumerate(SPECIAL)}
    decoder |= {"4": flags("[MASK]", special=True, lstrip=True), "15": flags("[URL]", **{flag: True})}
    fast = fast_tokenizer() if serialised else None
    assert_equal(write(tmp_path, fast=fast, tokenizer_config={"added_tokens_decoder": decoder}))


@pytest.mark.parametrize("flag", ["lstrip", "rstrip", "single_word", "normalized", "special"])
def test_the_added_tokens_of_tokenizer_json(tmp_path: Path, flag: str) -> None:
    """T2."""
    fast = fast_tokenizer()
    fast.add_tokens([AddedToken("[URL]", **{flag: True}), AddedToken("film", **{flag: True})])
    assert_equal(write(tmp_path, fast=fast))


@pytest.mark.parametrize(
    "files",
    [
        {"special_tokens_map": {"additional_special_tokens": ["[URL]", "<ent>"]}},
        {"special_tokens_map": {"mask_token": flags("[MASK]", lstrip=True), "cls_token": "[CLS]"}},
        {"tokenizer_config": {"additional_special_tokens": ["[URL]"]}},
        {"tokenizer_config": {"extra_special_tokens": ["<ent>"]}},
        {"tokenizer_config": {"extra_special_tokens": {"url_token": "[URL]"}}},
        {"tokenizer_config": {"url_token": "[URL]", "bos_token": "[CLS]"}},
        {"tokenizer_config": {"mask_token": {"__type": "AddedToken", **flags("[MASK]", lstrip=True, special=True)}}},
        {"tokenizer_config": {"cls_token": "an", "sep_token": "x"}},
        {"added_tokens": {"[URL]": 15}, "special_tokens_map": {"additional_special_tokens": ["[URL]"]}},
    ],
    ids=range(9),
)
def test_special_tokens_from_every_place(tmp_path: Path, files: dict[str, Any]) -> None:
    """T2: those that a file names are matched in texts, and tokens other than BERT's may have its roles."""
    assert_equal(write(tmp_path, **files))


def test_an_added_token_whose_id_is_not_the_next_one(tmp_path: Path) -> None:
    """T2: transformers gives it another id than the file says, in silence."""
    write(tmp_path, added_tokens={"[URL]": 20})
    sentence = (
        f"{tmp_path / 'added_tokens.json'} gives [URL] the id 20, but transformers gives it 15 with the vocabulary "
        "beside it: the files belong to different models"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


def test_an_added_token_that_takes_the_id_of_a_word(tmp_path: Path) -> None:
    """T2: a repeated line makes the vocabulary's size smaller than its largest id, and new ids count from the size."""
    write(tmp_path, [*WORDS, "film", "last"], tokenizer_config={"extra_special_tokens": ["[URL]"]})
    sentence = "the added token [URL] gets the id 16, which 'last' of the vocabulary already has ("
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


def test_two_added_tokens_that_one_text_matches(tmp_path: Path) -> None:
    """T2: in transformers one process takes the one, another process the other."""
    write(tmp_path, added_tokens={"[URL]": 15, "[url]": 16})
    sentence = "has the added tokens [URL] and [url], which are the same after normalisation: remove one, or set"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


def test_added_tokens_that_transformers_leaves_out_are_named(tmp_path: Path) -> None:
    """T2: ``added_tokens_decoder`` counts alone."""
    decoder = {str(i): flags(token, special=True) for i, token in enumerate(SPECIAL)}
    write(tmp_path, tokenizer_config={"added_tokens_decoder": decoder}, added_tokens={"[URL]": 15, "<ent>": 16})
    sentence = (
        f"{tmp_path / 'added_tokens.json'} has the added tokens [URL], <ent>, which neither transformers nor bertline "
        f"uses, because {tmp_path / 'tokenizer_config.json'} does not list them: add them there"
    )
    with pytest.warns(CheckpointWarning, match=re.escape(sentence)):
        ours = Tokenizer.from_directory(tmp_path)
    assert ids(ours) == theirs(tmp_path)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"added_tokens": {"[URL]": "last"}}, "added_tokens.json has an added token in an unknown form (invalid"),
        ({"special_tokens_map": {"additional_special_tokens": [flags("[URL]")]}}, "unknown form ({'content': '[URL]'"),
        ({"tokenizer_config": {"added_tokens_decoder": {"15": "[URL]"}}}, "tokenizer_config.json has an added"),
        ({"tokenizer_config": {"sep_token": {"content": "[SEP]"}}}, "({'content': '[SEP]'} is not a token): copy it"),
        ({"tokenizer_config": {"cls_token": None}}, "an unknown form (cls_token is null): copy it again from the"),
    ],
)
def test_an_added_token_in_an_unknown_form(tmp_path: Path, files: dict[str, Any], sentence: str) -> None:
    """T2: transformers raises a TypeError for each, or reads None as a word."""
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(write(tmp_path, **files))


# ------------------------------------------------------------------------------------------------- T3: settings


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_two_files_disagree_about_lower_case(tmp_path: Path, lowercase: bool) -> None:
    """T3: ``tokenizer_config.json`` wins, as in transformers, and the other is named."""
    fast = fast_tokenizer(normalizer=normalizers.BertNormalizer(lowercase=lowercase))
    write(tmp_path, fast=fast, tokenizer_config={"tokenizer_class": "BertTokenizer", "do_lower_case": not lowercase})
    sentence = (
        f"{tmp_path / 'tokenizer.json'}: its normaliser has no effect, because transformers builds a BertTokenizer "
        "from its vocabulary and the settings in tokenizer_config.json, and so does bertline: if the model was "
        'trained with this file, set "tokenizer_class" to "PreTrainedTokenizerFast" there'
    )
    with pytest.warns(CheckpointWarning, match=re.escape(sentence)):
        ours = Tokenizer.from_directory(tmp_path)
    assert ids(ours) == theirs(tmp_path)
    assert ids(ours)[0] == ([2, 6, 1, 1, 3] if lowercase else [2, 5, 7, 8, 3])


@pytest.mark.parametrize("serialised", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"do_lower_case": False},
        {"strip_accents": False},
        {"strip_accents": True, "do_lower_case": False},
        {"tokenize_chinese_chars": False},
        {"model_max_length": 4, "padding": True, "truncation": True, "max_length": 3, "stride": 1},
        {"tokenizer_class": "DistilBertTokenizerFast"},
        {"tokenizer_class": "ElectraTokenizer", "never_split": None, "do_basic_tokenize": True},
    ],
    ids=range(7),
)
def test_settings_that_transformers_uses(tmp_path: Path, settings: dict[str, Any], serialised: bool) -> None:
    """T3."""
    normalizer = normalizers.BertNormalizer(
        lowercase=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
    )
    fast = fast_tokenizer(normalizer=normalizer) if serialised else None
    assert_equal(write(tmp_path, fast=fast, tokenizer_config=settings))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"never_split": ["Film"]}, "sets never_split to ['Film'], which neither a BertTokenizer of"),
        ({"do_basic_tokenize": False}, "sets do_basic_tokenize to False, which neither a BertTokenizer of"),
        ({"wordpieces_prefix": "@@"}, "sets wordpieces_prefix to '@@', which neither a BertTokenizer of"),
        ({"word_tokenizer_type": "mecab"}, "sets word_tokenizer_type to 'mecab', which neither a BertTok"),
        (
            {"clean_text": False},
            "sets clean_text to False, which neither a BertTokenizer of transformers nor",
        ),
        ({"invented": 3}, "sets invented to 3, which neither a BertTokenizer of transformers nor bertline uses"),
        ({"padding_side": "left"}, "sets padding_side to 'left', but bertline pads on the right"),
        ({"truncation_side": "left"}, "sets truncation_side to 'left', but bertline truncates as --truncation says"),
    ],
)
def test_settings_that_transformers_does_not_use_are_named(
    tmp_path: Path, setting: dict[str, Any], sentence: str
) -> None:
    """T3."""
    write(tmp_path, tokenizer_config=setting)
    with pytest.warns(CheckpointWarning, match=re.escape(f"{tmp_path / 'tokenizer_config.json'} {sentence}")):
        ours = Tokenizer.from_directory(tmp_path)
    assert ids(ours) == theirs(tmp_path)


def test_a_class_that_takes_tokenizer_json_as_it_is_does_not_read_the_settings_of_bert(tmp_path: Path) -> None:
    """T3."""
    write(
        tmp_path,
        fast=fast_tokenizer(),
        tokenizer_config={"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False},
    )
    sentence = "sets do_lower_case to False, which neither a PreTrainedTokenizerFast of transformers"
    with pytest.warns(CheckpointWarning, match=sentence):
        ours = Tokenizer.from_directory(tmp_path)
    assert ids(ours) == theirs(tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"},
            "names the tokenizer class BertJapaneseTokenizer: bertline reads BertTokenizer, RobertaTokenizer, "
            "XLMRobertaTokenizer, CamembertTokenizer and PreTrainedTokenizerFast",
        ),
        ({"tokenizer_class": "OurOwnTokenizer"}, "names the tokenizer class OurOwnTokenizer: bertline reads"),
        ({"tokenizer_class": ["BertTokenizer"]}, "names the tokenizer class ['BertTokenizer']: bertline reads"),
        (
            {"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}},
            "sets auto_map, which bertline does not read: choose",
        ),
        ({"split_special_tokens": True}, "sets split_special_tokens, which bertline does not read: choose"),
        ({"fast_tokenizer_files": ["tokenizer.4.0.0.json"]}, "sets fast_tokenizer_files, which bertline does not read"),
        ({"do_lower_case": None}, "sets do_lower_case to None: it must be true or false"),
        ({"strip_accents": "no"}, "sets strip_accents to 'no': it must be true or false"),
        ({"tokenize_chinese_chars": 1}, "sets tokenize_chinese_chars to 1: it must be true or false"),
        ({"padding_side": "both"}, "sets padding_side to 'both': it must be left or right"),
    ],
)
def test_settings_that_bertline_does_not_read_are_refused(
    tmp_path: Path, settings: dict[str, Any], sentence: str
) -> None:
    """T3."""
    write(tmp_path, tokenizer_config=settings)
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / 'tokenizer_config.json'} {sentence}")):
        Tokenizer.from_directory(tmp_path)


def test_the_class_in_config_json(tmp_path: Path) -> None:
    """T3: counts where tokenizer_config.json names none."""
    config = {"model_type": "bert", "tokenizer_class": "BertJapaneseTokenizer"}
    with pytest.raises(
        CheckpointError, match=r"config\.json names the tokenizer class BertJapaneseTokenizer: bertline"
    ):
        Tokenizer.from_directory(write(tmp_path, config=config))
    fast = fast_tokenizer(normalizer=normalizers.NFKC())
    assert_equal(write(tmp_path, fast=fast, config=config | {"tokenizer_class": "PreTrainedTokenizerFast"}))


# ------------------------------------------------------------------------------------------------- T4: other kinds

NFKC = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
UNIGRAM = models.Unigram([(word, -1.0 - i / 9) for i, word in enumerate(WORDS)], unk_id=1)
BPE = models.BPE(
    {**{word: i for i, word in enumerate(WORDS)}, "f": 15, "i": 16, "fi": 17}, [("f", "i")], unk_token="[UNK]"
)
ODD: dict[str, tokenizers.Tokenizer] = {
    "other normaliser": fast_tokenizer(normalizer=NFKC, pre_tokenizer=pre_tokenizers.Whitespace()),
    "no normaliser": fast_tokenizer(normalizer=None),
    "control characters kept": fast_tokenizer(normalizer=normalizers.BertNormalizer(clean_text=False)),
    "other prefix": fast_tokenizer(
        models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]", continuing_subword_prefix="")
    ),
    "short words": fast_tokenizer(
        models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]", max_input_chars_per_word=4)
    ),
    "word level": fast_tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]")),
    "bpe": fast_tokenizer(BPE),
    "unigram": fast_tokenizer(UNIGRAM, pre_tokenizer=pre_tokenizers.Metaspace()),
}
AS_IT_IS = {"tokenizer_class": "PreTrainedTokenizerFast"}


@pytest.mark.parametrize("kind", ODD)
def test_a_bundle_names_the_class_that_rebuilds_its_tokenizer(tmp_path: Path, kind: str) -> None:
    """T4: any ``tokenizer.json`` that is not plain BERT: the same ids, and the same logits from a pipeline."""
    ours = assert_equal(write(tmp_path, fast=ODD[kind], tokenizer_config=AS_IT_IS))
    bundle = tmp_path / "saved"
    assert settings_of(bundle)["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not (bundle / "vocab.txt").exists()  # it would say that a WordPiece tokenizer of BERT reads it
    config = EncoderConfig(vocab_size=20, hidden=12, heads=3, layers=1, feed_forward=16, max_positions=64)
    classifier: Any = widen(Classifier(config, 2))
    save_classifier(bundle, classifier, labels=("negative", "positive"))
    classify: Any = pipeline("text-classification", model=str(bundle), top_k=None, function_to_apply="none")
    for text, (logits, *_) in zip(TEXTS, ((classifier(_batch(row), None)) for row in ids(ours)), strict=True):
        scores = {one["label"]: one["score"] for one in classify([text])[0]}
        assert [scores["negative"], scores["positive"]] == pytest.approx(logits.tolist(), abs=1e-5)


def _batch(row: list[int]) -> Any:
    import torch

    return torch.tensor([row])


def test_a_plain_tokenizer_json_stays_a_tokenizer_of_bert(tmp_path: Path) -> None:
    """T4: read as it is, and written as BERT's because that comes to the same."""
    fast = fast_tokenizer()
    fast.decoder = decoders.WordPiece()
    assert_equal(write(tmp_path, fast=fast, tokenizer_config=AS_IT_IS))
    assert settings_of(tmp_path / "saved")["tokenizer_class"] == "BertTokenizer"
    assert (tmp_path / "saved" / "vocab.txt").read_text(encoding="utf-8").splitlines() == WORDS


@pytest.mark.parametrize("kind", sorted(ODD.keys() - {"bpe"}))
def test_transformers_replaces_the_parts_of_a_tokenizer_json_that_is_bert_s_by_name(tmp_path: Path, kind: str) -> None:
    """T4: so do we, and say so; the bundle has the same ids."""
    write(tmp_path, fast=ODD[kind], tokenizer_config={"tokenizer_class": "BertTokenizer"})
    with pytest.warns(CheckpointWarning, match=r": its (normaliser|pre-tokenizer|model).* no effect, because trans"):
        ours = Tokenizer.from_directory(tmp_path)
    assert ids(ours) == theirs(tmp_path)
    saved = tmp_path / "saved"
    saved.mkdir()
    ours.save(saved)
    assert theirs(saved) == ids(ours)


def test_special_tokens_that_a_tokenizer_json_does_not_match_in_texts(tmp_path: Path) -> None:
    """T4: naming their roles in the bundle would make transformers match them."""
    fast = tokenizers.Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast.post_processor = fast_tokenizer().post_processor
    assert_equal(write(tmp_path, fast=fast, tokenizer_config=AS_IT_IS))


@pytest.mark.parametrize(
    "processor",
    [
        None,
        processors.TemplateProcessing(single="$A", special_tokens=[]),
        processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 2)]),
        processors.TemplateProcessing(single="an $A x", special_tokens=[("an", 5), ("x", 14)]),
    ],
)
def test_a_text_that_is_not_framed_as_bert_reads_it_is_refused(tmp_path: Path, processor: Any) -> None:
    """T4."""
    write(tmp_path, fast=fast_tokenizer(post_processor=processor), tokenizer_config=AS_IT_IS)
    sentence = (
        f"{tmp_path / 'tokenizer.json'} does not put a text between [CLS] and [SEP], as an encoder needs: "
        "give its post_processor that template"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


def test_a_tokenizer_that_draws_its_merges_is_refused(tmp_path: Path) -> None:
    """T4."""
    fast = fast_tokenizer(models.BPE({w: i for i, w in enumerate(WORDS)}, [], unk_token="[UNK]", dropout=0.1))
    with pytest.raises(CheckpointError, match=r"drops merges at random \(dropout\), so the ids of a text vary"):
        Tokenizer.from_directory(write(tmp_path, fast=fast, tokenizer_config=AS_IT_IS))


def test_a_tokenizer_that_cannot_read_every_text_is_refused(tmp_path: Path) -> None:
    """T4: its model has no token for the unknown."""
    fast = fast_tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot encode a text \(.*\): copy it again"):
        Tokenizer.from_directory(write(tmp_path, fast=fast, tokenizer_config=AS_IT_IS))


def test_tokenizer_json_is_needed_by_the_class_that_takes_it_as_it_is(tmp_path: Path) -> None:
    """T4."""
    sentence = f"{tmp_path} has no tokenizer.json, which the class PreTrainedTokenizerFast needs: copy it again"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(write(tmp_path, tokenizer_config=AS_IT_IS))


def test_the_bundle_of_an_earlier_version_keeps_its_tokens(tmp_path: Path) -> None:
    """T4: it named BertTokenizer over any ``tokenizer.json`` and read that file as it is."""
    write(tmp_path, fast=ODD["other normaliser"], tokenizer_config={"tokenizer_class": "BertTokenizer"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = Tokenizer.from_bundle(tmp_path)
    assert ids(ours) == [ODD["other normaliser"].encode(text).ids for text in TEXTS]


def test_a_tokenizer_without_a_frame_is_written_with_the_one_that_we_put_around_its_ids(tmp_path: Path) -> None:
    """T4: the bundle of an earlier version may hold one, and a student of it is written too."""
    ours = Tokenizer(fast_tokenizer(normalizer=NFKC, post_processor=None), lowercase=False)
    ours.save(tmp_path)
    assert theirs(tmp_path) == ids(Tokenizer.from_directory(tmp_path)) == ids(ours)


def test_a_tokenizer_that_transformers_would_not_rebuild_is_not_written(tmp_path: Path) -> None:
    """T4: two of its added tokens are one after normalisation."""
    fast = fast_tokenizer()
    fast.add_tokens([AddedToken("[URL]"), AddedToken("[url]")])
    ours = Tokenizer(fast, lowercase=True, origin="own/tokenizer.json")
    sentence = "transformers cannot rebuild the tokenizer of own/tokenizer.json from a bundle: start from another check"
    with pytest.raises(CheckpointError, match=sentence):
        ours.save(tmp_path)


def test_vocabulary_lines_are_read_as_by_transformers(tmp_path: Path) -> None:
    """T1: white space at their ends is not theirs, a carriage return inside one is."""
    (tmp_path / "vocab.txt").write_bytes("\r\n".join([*WORDS[:8], "film ", "a\rb", "last"]).encode())
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert assert_equal(tmp_path).tokens([8, 10]) == ["film", "last"]
