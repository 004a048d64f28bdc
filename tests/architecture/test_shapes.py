"""The shapes in the signatures are checked while the tests run: a wrong one fails at the call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from bertline.data.batching import Batch, pad
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder

TINY = EncoderConfig(family="bert", vocab_size=11, hidden=8, layers=1, heads=2, feed_forward=16, max_positions=16)


def test_a_batch_of_the_wrong_rank_or_dtype_is_refused() -> None:
    right = pad([[1, 2], [3]], pad_id=0)
    with pytest.raises(TypeCheckError, match="ids"):
        Batch(right.ids[0], right.attend)
    with pytest.raises(TypeCheckError, match="attend"):
        Batch(right.ids, right.ids)
    with pytest.raises(TypeCheckError, match="attend"):
        Batch(right.ids, np.ones((2, 3), dtype=bool))


def test_an_encoder_refuses_a_mask_of_another_shape() -> None:
    encoder = Encoder(TINY)
    ids = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(TypeCheckError, match="attend"):
        encoder(ids, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(TypeCheckError, match="ids"):
        encoder(ids.float(), torch.ones(2, 3, dtype=torch.bool))
