"""What is known beside the light curves: of spectra, of orbits, limb darkening and drift, of labels."""
