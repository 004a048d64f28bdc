"""Multi-head self-attention: softmax(QKᵀ/√d)·V per head, heads concatenated and projected.

Source: Vaswani et al. 2017. Suffixes: B batch, T tokens, H heads, D width of a head.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from bertline.encoder.config import EncoderConfig
from bertline.encoder.trained_attention import trained_attention


class SelfAttention(nn.Module):
    """Self-attention of one layer.

    The query, key and value projections are one matrix, because one large product is faster than three; checkpoints
    store them separately (see ``checkpoint``).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.out = nn.Linear(config.hidden, config.hidden)
        self.dropout = config.attention_dropout

    def busy_heads(self) -> Bool[Tensor, " heads"]:
        """Which heads are active: those whose columns of the output projection are not all zero."""
        columns: Tensor = self.out.weight.detach().ne(0).any(dim=0)
        return columns.view(self.heads, self.head_size).any(dim=1)

    def silence(self, idle: Bool[Tensor, " heads"]) -> None:
        """Prune heads permanently by zeroing their query, key, value and output weights.

        The shapes stay, because Hugging Face's layout requires them; engines skip the zeros. The weights stay zero in
        any later training: with a value of 0, the columns of the output projection get no gradient, and with zero
        columns, neither do value, query and key.
        """
        channels = idle.repeat_interleave(self.head_size)
        with torch.no_grad():
            self.qkv.weight[channels.repeat(3)] = 0
            self.qkv.bias[channels.repeat(3)] = 0
            self.out.weight[:, channels] = 0

    def forward(
        self,
        states: Float[Tensor, "batch tokens hidden"],
        allowed: Bool[Tensor, "#batch #heads #tokens tokens"] | None,
        want_attentions: bool = False,
    ) -> tuple[Float[Tensor, "batch tokens hidden"], Float[Tensor, "batch heads tokens tokens"] | None]:
        """Mix the tokens' states; ``allowed`` is True where a token (row) may attend to another (column).

        Returns the mixed states and, if requested, the attention probabilities (before dropout).
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
        elif self.training and states.is_cpu and torch.is_grad_enabled():
            mixed_BHTD = trained_attention(query_BHTD, key_BHTD, value_BHTD, allowed, rate)
        else:
            mixed_BHTD = functional.scaled_dot_product_attention(
                query_BHTD, key_BHTD, value_BHTD, attn_mask=allowed, dropout_p=rate
            )
        return self.out(mixed_BHTD.transpose(1, 2).reshape(batch, tokens, hidden)), probabilities_BHTT
