"""Are new texts like those that the model was measured on?"""
