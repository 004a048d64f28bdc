"""A start for pre-training: heads of the first layer that look at the neighbouring tokens.

With random weights, the state of a [MASK] says nothing about the tokens around it, so a masked language model learns
how frequent each token is, and then nothing until some head happens to look at its neighbours: a plateau that ends
suddenly (Chen et al. 2023, "Sudden drops in the loss"). Trained encoders have such heads (Clark et al. 2019, section
3.1), and weights that begin with the structure of trained ones learn faster (Trockman and Kolter 2023, "Mimetic
initialization of self-attention layers").

Each head has frequencies of its own. A position is coded by their sines and cosines, keys read the code as it is, and
queries read it turned by the head's distance: their product is largest for the token at this distance.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from bertline.encoder.encoder import Encoder

SCORE = 8.0  # of the token that a head looks at, before the softmax; others are around 0


def look_at_neighbours(encoder: Encoder) -> None:
    """Let each head of the first layer look at one neighbour: the token before, after, two before, two after, ….

    Heads of a causal encoder look back only. Replaces the position embeddings and adds to the weights of queries and
    keys; the frequencies come from torch's generator.

    Args:
        encoder: a fresh one, with learned positions that begin at 0.
    """
    config = encoder.config
    heads, pairs = config.heads, config.head_size // 2
    if not pairs:
        return
    angles = (torch.arange(pairs) + torch.rand(heads, pairs)) * (math.pi / pairs)  # radians per position
    with torch.no_grad():
        positions = encoder.embeddings.position.weight.view(-1, heads, config.head_size)
        turned = torch.arange(len(positions))[:, None, None] * angles
        codes = torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(-2)
        positions[..., : 2 * pairs] = math.sqrt(2) * config.init_std * codes  # as large as the token embeddings
        share = 1 / (3 if config.segments else 2)  # of the positions in the variance of a normed embedding
        scale = math.sqrt(SCORE * math.sqrt(config.head_size) / (2 * share * pairs))
        first = encoder.get_submodule("layers.0.attention.qkv").get_parameter("weight")
        queries, keys, _ = first.view(3, heads, config.head_size, config.hidden)
        for head in range(heads):
            read = slice(head * config.head_size, head * config.head_size + 2 * pairs)
            queries[head, : 2 * pairs, read] += scale * _turn(distance(head, causal=config.causal) * angles[head])
            keys[head, : 2 * pairs, read] += scale * torch.eye(2 * pairs)


def distance(head: int, *, causal: bool) -> int:
    """Of the token that a head looks at: negative before its own.

    >>> [distance(head, causal=False) for head in range(5)]
    [-1, 1, -2, 2, -3]
    >>> [distance(head, causal=True) for head in range(3)]
    [-1, -2, -3]
    """
    if causal:
        return -head - 1
    return (head // 2 + 1) * (1 if head % 2 else -1)


def _turn(angles: Float[Tensor, " pairs"]) -> Float[Tensor, "both both"]:
    """The matrix that adds the angles to those of the sines and cosines, pair by pair."""
    turns: Tensor = torch.block_diag(*(torch.tensor([[a.cos(), a.sin()], [-a.sin(), a.cos()]]) for a in angles))
    return turns
