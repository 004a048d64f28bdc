"""Multi-head self-attention: softmax(QKᵀ/√d)·V per head, heads concatenated and projected.

Source: Vaswani et al. 2017. Suffixes: B batch, T tokens, H heads, D width of a head.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from bertline.encoder.config import EncoderConfig


class SelfAttention(nn.Module):
    """Bidirectional self-attention of one layer.

    The projections to query, key and value are one matrix: a single larger product is faster than three, and
    checkpoints keep them apart (see ``checkpoint``).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.out = nn.Linear(config.hidden, config.hidden)
        self.dropout = config.attention_dropout

    def busy_heads(self) -> Bool[Tensor, " heads"]:
        """Which heads add something: those whose columns of the output projection are not all zero."""
        columns: Tensor = self.out.weight.detach().ne(0).any(dim=0)
        return columns.view(self.heads, self.head_size).any(dim=1)

    def silence(self, idle: Bool[Tensor, " heads"]) -> None:
        """Leave heads out for good: no query, key, value and no way out.

        The shapes stay, as Hugging Face's layout wants them, and an engine leaves the zeros out. They remain zero
        whatever is trained afterwards: a value of 0 gives its columns of the output projection no gradient, and those
        give none to the value, to the query and to the key.
        """
        channels = idle.repeat_interleave(self.head_size)
        with torch.no_grad():
            self.qkv.weight[channels.repeat(3)] = 0
            self.qkv.bias[channels.repeat(3)] = 0
            self.out.weight[:, channels] = 0

    def forward(
        self,
        states: Float[Tensor, "batch tokens hidden"],
        allowed: Bool[Tensor, "batch #heads #tokens tokens"] | None,
        want_attentions: bool = False,
    ) -> tuple[Float[Tensor, "batch tokens hidden"], Float[Tensor, "batch heads tokens tokens"] | None]:
        """Mix the tokens' states; ``allowed`` is True where a token (row) may look at another (column).

        Returns the mixed states and, when asked, the probabilities (before dropout).
        """
        batch, tokens, hidden = states.shape
        qkv_3BHTD = self.qkv(states).view(batch, tokens, 3, self.heads, self.head_size).permute(2, 0, 3, 1, 4)
        query_BHTD, key_BHTD, value_BHTD = qkv_3BHTD.unbind(0)
        rate = self.dropout if self.training else 0.0
        probabilities_BHTT = None
        if want_attentions:
            scores_BHTT = query_BHTD @ key_BHTD.transpose(-1, -2) / math.sqrt(self.head_size)
            if allowed is not None:
                scores_BHTT = scores_BHTT.masked_fill(~allowed, torch.finfo(scores_BHTT.dtype).min)
            probabilities_BHTT = scores_BHTT.softmax(-1)
            mixed_BHTD = functional.dropout(probabilities_BHTT, rate, self.training) @ value_BHTD
        else:
            mixed_BHTD = functional.scaled_dot_product_attention(
                query_BHTD, key_BHTD, value_BHTD, attn_mask=allowed, dropout_p=rate
            )
        return self.out(mixed_BHTD.transpose(1, 2).reshape(batch, tokens, hidden)), probabilities_BHTT
