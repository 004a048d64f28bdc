"""A package, so that ``tests`` means this folder: the identity provider of the tests installs one of that name too."""
