"""From a bundle to answers: labels with calibrated probabilities, and how much of each text was read.

``load_predictor`` is the way in. Only ``torch_backend`` imports torch, and only when it is used.
"""

from bertline.inference.backend import Backend
from bertline.inference.load import load_predictor
from bertline.inference.predictor import Predictor, Scores, TextClassifier
from bertline.inference.stream import predict_stream
from bertline.tasks.classify.answer import Prediction

__all__ = ["Backend", "Prediction", "Predictor", "Scores", "TextClassifier", "load_predictor", "predict_stream"]
