"""Export a network to ONNX: its graph, int8 quantisation, and the engine's file."""
