"""The network: stacked recurrent layers and a linear head, its cells, its starting weights, its losses."""

from lstm_forecast.model.beside import Beside
from lstm_forecast.model.cells import PeepholeLSTM
from lstm_forecast.model.draws import Draws
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.losses import LOSSES, point_loss
from lstm_forecast.model.reglstm import RegLSTM

__all__ = ["LOSSES", "Beside", "Draws", "PeepholeLSTM", "RegLSTM", "initialise", "point_loss"]
