"""What a network is for: a folder per task, which turns outputs into answers."""
