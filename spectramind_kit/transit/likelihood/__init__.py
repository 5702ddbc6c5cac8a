"""The likelihood of light curves: their model, its parameters, visits, what a measurement keeps."""
