"""One input on its way through the network, step by step, with the numbers of each; without torch."""
