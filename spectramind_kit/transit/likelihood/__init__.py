"""The likelihood of light curves: their model, its parameters, what a visit holds, and what a measurement
keeps."""
