"""What is known of a model in use: whether its texts, its answers and its accuracy are still what they were."""
