"""The fit: from the light curves of planets to measurements. No label enters."""
