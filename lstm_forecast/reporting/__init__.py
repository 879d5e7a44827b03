"""Reporting: pictures of forecasts, of the test, and of the training."""
