"""Which words of a text an answer rests on, computed by the engine that answers, without torch."""
