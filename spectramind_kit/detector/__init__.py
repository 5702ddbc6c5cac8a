"""Stage 1: raw frames → light curves. Names load on first use; nothing heavy is imported before."""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "AIRS": "instrument",
    "FGS1": "instrument",
    "Instrument": "instrument",
    "N_AIRS_BINS": "instrument",
    "N_BINS": "instrument",
    "VisitFiles": "layout",
    "find_visits": "layout",
    "AxisInfo": "axis_info",
    "read_axis_info": "axis_info",
    "AdcInfo": "adc_info",
    "read_adc_info": "adc_info",
    "read_star_info": "star_info",
    "read_labels": "spectra",
    "read_wavelengths": "wavelengths",
    "SharedTables": "shared_tables",
    "read_shared_tables": "shared_tables",
    "DetectorSettings": "settings",
    "CalibrationSet": "calibration_set",
    "read_calibration": "calibration_set",
    "calibrate_frames": "calibrate",
    "CalibratedFrames": "visit_frames",
    "calibrate_visit": "visit_frames",
    "all_pixels": "frames",
    "read_frames": "frames",
    "VisitSource": "raw_visit",
    "read_raw_visit": "raw_visit",
    "calibrate_raw": "visit_frames",
    "columns_beside": "light_beside",
    "trace_foreground": "foreground",
    "extract_trace": "trace",
    "LightCurve": "light_curve",
    "extract_light_curve": "extraction",
    "first_light_curve": "extraction",
    "LightCurveStore": "store",
    "build_light_curves": "building",
    "BuildReport": "building",
}
__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
