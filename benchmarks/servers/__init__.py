"""Servers under load: the generator, the processes, and the apps that people would write with other servers."""
