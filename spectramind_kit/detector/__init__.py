"""Stage 1: raw frames → light curves. Names load on first use; importing this package imports nothing
heavy."""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "AIRS": "instrument",
    "FGS1": "instrument",
    "Instrument": "instrument",
    "N_AIRS_BINS": "instrument",
    "N_BINS": "instrument",
    "VisitFiles": "layout",
    "AxisInfo": "layout",
    "AdcInfo": "layout",
    "find_visits": "layout",
    "read_star_info": "layout",
    "read_labels": "layout",
    "read_wavelengths": "layout",
    "read_axis_info": "layout",
    "read_adc_info": "layout",
    "SharedTables": "layout",
    "read_shared_tables": "layout",
    "DetectorSettings": "settings",
    "CalibrationSet": "calibration_set",
    "read_calibration": "calibration_set",
    "calibrate_frames": "calibrate",
    "CalibratedFrames": "visit_frames",
    "calibrate_visit": "visit_frames",
    "LightCurve": "light_curve",
    "extract_light_curve": "extraction",
    "LightCurveStore": "store",
    "build_light_curves": "store",
    "BuildReport": "store",
}
__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
