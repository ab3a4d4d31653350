"""The model of suspicious texts: `train` makes its weights, without arguments its table of figures is printed."""
