"""Steps of a rollout, the decision at each, and the servers that take them."""
