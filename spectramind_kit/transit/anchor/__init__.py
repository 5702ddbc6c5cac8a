"""The anchor: measurements under priors, calibrated; recipes for train and test planets."""
