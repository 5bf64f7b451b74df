"""Predict new media with a trained model: ``equipoise predict``, and :func:`predict` in Python."""

from equipoise.prediction.module import TrainedModel, load
from equipoise.prediction.run import ClipPrediction, ClipPredictions, predict

__all__ = ["ClipPrediction", "ClipPredictions", "TrainedModel", "load", "predict"]
