"""How much each client may ask: requests and tokens of a minute and of a day, and requests at a time."""
