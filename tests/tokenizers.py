"""Small byte-level BPE and Unigram tokenizers, as the ``tokenizer.json`` of RoBERTa, XLM-R and CamemBERT have them."""

from __future__ import annotations

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = (
    "",
    "a film",
    " A  good film,\nnaïve films x1 ",
    "don't <mask> that<mask>s  <s>! </s> <pad>",
    "中文 ﬁlm É e\u0301 🎬🎬 \u200b tab\tnew",
    "the film was longer than any film that a good film may be " * 3,
)
FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
NOTUSED = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", "<mask>"]
UNIGRAM = ["▁", "▁a", "▁film", "▁good", "s", ",", "a", "i", "l", "f", "m", "▁the", "n", "o", "x", "1", "é", "e", "t"]


def bpe(*, prefix: bool = False) -> tokenizers.Tokenizer:
    """A byte-level tokenizer as RoBERTa's ``tokenizer.json`` has it."""
    fast = tokenizers.Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=FAIRSEQ, initial_alphabet=alphabet, show_progress=False
    )
    fast.train_from_iterator(TEXTS, trainer)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    fast.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    return fast


def unigram(first: list[str], charsmap: bool = False) -> tokenizers.Tokenizer:
    """A tokenizer as a converted SentencePiece model's ``tokenizer.json`` has it."""
    vocabulary = [*((token, 0.0) for token in first), *((token, -1.0 - i / 9) for i, token in enumerate(UNIGRAM))]
    fast = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=first.index("<unk>")))
    fast.normalizer = normalizers.NFKC() if charsmap else None  # type: ignore[assignment]
    fast.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    fast.decoder = decoders.Metaspace()
    cls, sep = (("<s>", first.index("<s>")), ("</s>", first.index("</s>")))
    fast.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[cls, sep]
    )
    fast.add_special_tokens([*first[:-1], AddedToken("<mask>", lstrip=True, special=True)])
    return fast
