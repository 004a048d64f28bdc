"""From a bundle to a smaller and faster one: candidates are built, measured on this machine, and one is picked."""
