"""What every job needs, imported once, by the server of processes: each process begins with it."""

import contextlib

import pandas as pd  # noqa: F401
import safetensors.numpy
import safetensors.torch  # noqa: F401
import sklearn.preprocessing  # noqa: F401
import torch

import lstm_forecast.drawing
import lstm_forecast.forecasting.forecast
import lstm_forecast.scale.work
import lstm_forecast.training.checkpoints
import lstm_forecast.training.loop  # noqa: F401
from lstm_forecast.errors import ForecastError
from lstm_forecast.reporting.fonts import load_matplotlib

torch.optim.Adam([torch.zeros(1)])  # the first optimiser imports as much again as torch itself
with contextlib.suppress(ForecastError):  # a job that draws says it
    load_matplotlib()

    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin  # noqa: F401
