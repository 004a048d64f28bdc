"""Test doubles: what bertline's own tests use, for the tests of programs that use bertline.

- ``bertline.testing.words``: models whose answers can be told from the text, without a network; as a ``Model`` of the
  library and behind the real service. Needs neither torch nor onnxruntime.
- ``bertline.testing.tiny``: a whole bundle around a tiny network with random weights. Needs torch.
- ``bertline.testing.clock``: a clock that stands still until the test moves it.
"""
