"""Who may ask what: scopes of routes, bearer tokens, API keys, and the clients behind them."""
