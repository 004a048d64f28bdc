"""The same network with easier numbers: outliers of the attention's output are moved between two weights.

What attention mixes are values, so a channel of its output that is divided by s, in the rows of the value projection,
and multiplied by s again, in the columns of the output projection, changes no answer and costs nothing.
"""

from __future__ import annotations

from dataclasses import replace

from bertline.export.network import Network
from bertline.export.quantise import Channels, Observed

_VALUE = 2  # of query, key and value


def with_balanced_values(network: Network, observed: Observed) -> tuple[Network, Observed]:
    """The network with balanced value and output projections, and what its products' inputs are then."""
    tensors, seen = dict(network.tensors), dict(observed)
    for layer in range(network.config.layers):
        product, prefix = f"{layer}.out", f"encoder.layers.{layer}.attention"
        if product not in observed:
            continue
        out, weight = network.named(f"{prefix}.out.weight")
        divisor = observed[product].balance(weight)
        tensors[out] = weight * divisor
        for part, shape in (("weight", (-1, 1)), ("bias", (-1,))):
            name, values = network.named(f"{prefix}.qkv.{part}", _VALUE)
            tensors[name] = values / divisor.reshape(shape)
        seen[product] = Channels(observed[product].low / divisor, observed[product].high / divisor)
    return replace(network, tensors=tensors), seen
