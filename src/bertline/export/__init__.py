"""From a network to an ONNX graph: the graph, eight bits, the engine's file."""
