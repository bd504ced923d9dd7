"""What answers a browser: who may ask, which addresses there are, and the files behind them."""
