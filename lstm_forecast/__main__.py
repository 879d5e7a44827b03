"""``python -m lstm_forecast``."""

from lstm_forecast.cli.app import main

if __name__ == "__main__":
    main()
