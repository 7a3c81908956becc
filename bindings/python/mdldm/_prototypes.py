# SPDX-License-Identifier: MIT
"""Every exported function with its C types, as include/mdldm/mdldm.h declares them.

One line a function: result, name, arguments. A test compares the names with the library's export list, so
that a function that is new in C is missed here at once."""
from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Tuple

RESIZE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p)
PROGRESS = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)

_TYPES: Dict[str, Any] = {
    "void": None, "status": ctypes.c_int, "i32": ctypes.c_int32, "i64": ctypes.c_int64, "u64": ctypes.c_uint64,
    "f32": ctypes.c_float,
    "f64": ctypes.c_double, "size": ctypes.c_size_t, "text": ctypes.c_char_p, "handle": ctypes.c_void_p,
    "array": ctypes.c_void_p, "out": ctypes.POINTER(ctypes.c_void_p), "i64*": ctypes.POINTER(ctypes.c_int64),
    "f64*": ctypes.POINTER(ctypes.c_double), "text*": ctypes.POINTER(ctypes.c_char_p), "resize": RESIZE,
    "log": LOG, "progress": PROGRESS,
}

_TABLE = """
text status_name status
text version
status context_create out
status context_create_with resize array out
void context_free handle
text context_error handle
status context_use_backend handle text
text context_backend handle
status context_set_threads handle i32
status context_set_precision handle text
status context_set_winograd handle i32
void context_set_log handle log array
void context_set_progress handle progress array
void context_cancel handle
i32 backend_count handle
text backend_name handle i32
text backend_description handle i32
text backend_reason handle i32
status options_create handle out
void options_free handle
status options_set_int handle handle text i64
status options_set_double handle handle text f64
status options_set_string handle handle text text
status options_parse handle handle text text
status options_get_int handle handle text i64*
status options_get_double handle handle text f64*
status options_get_string handle handle text text*
i32 options_is_set handle text
i32 option_count
text option_key i32
i32 option_index text
i32 option_type_of i32
i32 option_scopes i32
text option_default i32
text option_choices i32
f64 option_min i32
f64 option_max i32
text option_unit i32
text option_help i32
text option_since i32
status model_load handle text out
status model_create handle handle out
status model_save handle handle text
void model_retain handle
void model_free handle
status model_get_int handle handle text i64*
status model_get_double handle handle text f64*
status model_get_string handle handle text text*
text model_class_name handle i64
i64 model_tensor_count handle text
text model_tensor_name handle text i64
i32 model_tensor_shape handle text i64 i64*
status model_cost handle handle text i64 i64 i64* i64*
status encode handle handle array i64 i64 i64 array size
status quantize handle handle array i64 i64 i64 array size array size
status predict handle handle array i64 i64 i64 array array array size
status decode handle handle array i64 i64 i64 array size
status decode_codes handle handle array i64 i64 i64 array size
status model_quantize handle handle handle handle out
status sampler_create handle handle handle out
void sampler_free handle
i64 sampler_steps handle
f64 sampler_timestep handle i64
status sampler_noise handle handle i64 i64 i64 i64 array size
status denoise_step handle handle array i64 i64 i64 array i64 i64
status scheduler_step handle handle array array i64 i64 i64 i64 i64 array
status generate handle handle i64 i64 i64 array i64 array size
status dataset_open handle text handle out
status dataset_from_db handle array i64 i64 i64 array text handle out
status dataset_from_rgb8 handle array i64 i64 i64 array text handle out
i32 dataset_channels handle
status dataset_db_range handle handle f64* f64*
void dataset_free handle
i64 dataset_count handle
i64 dataset_skipped handle
i64 dataset_class_count handle
text dataset_class_name handle i64
text dataset_item_name handle i64
i64 dataset_item_label handle i64
status dataset_read handle handle i64 array size
status dataset_read_rgb8 handle handle i64 array size
status image_read handle text array size i64* i64*
status image_write handle text array i64 i64
status image_read_grey8 handle text array size i64* i64*
status image_write_grey8 handle text array i64 i64
status pixels_to_grey8 handle array i64 i64 i64 array size
status grey8_to_pixels handle array i64 i64 i64 array size
status pixels_to_rgb8 handle array i64 i64 i64 array size
status rgb8_to_pixels handle array i64 i64 i64 array size
status spectrogram handle array i64 f64 handle array size i64* i64*
status spectrogram_axes handle i64 f64 handle array size array size
status matrix_resize handle array i64 i64 i64 i64 array size
status db_range handle array size f64 f64* f64*
status db_to_unit handle array size f64 f64 array size
status unit_to_db handle array size f64 f64 array size
status db_to_pixels handle array size f64 f64 array size
status pixels_to_db handle array size f64 f64 array size
i32 colormap_count
text colormap_name i32
status colormap_apply handle text array size f32 f32 array size
status colormap_invert handle text array size f32 f32 array size array size f64* f64*
status trainer_create handle i32 handle handle handle out
void trainer_free handle
status trainer_step handle handle
i64 trainer_global_step handle
i64 trainer_total_steps handle
i64 trainer_epoch handle
i64 trainer_steps_per_epoch handle
i32 trainer_metric_count handle
text trainer_metric_name handle i32
f64 trainer_metric_value handle i32
f64 trainer_metric handle text
status trainer_validate handle handle
status trainer_checkpoint handle handle
status trainer_update_model handle handle
i32 gait_measure_count
text gait_measure_name i32
text gait_measure_unit i32
text gait_measure_help i32
status gait_measure handle array i64 i64 i64 handle array size array size
status gait_measure_pixels handle array i64 i64 i64 i64 handle array size array size
status gait_measure_dataset handle handle handle array size
status frechet_distance handle array i64 array i64 i64 f64*
status kernel_distance handle array i64 array i64 i64 i64 i64 u64 f64* f64*
status precision_recall handle array i64 array i64 i64 i64 f64* f64* f64* f64*
status nearest_distances handle array i64 array i64 i64 array array size
status near_copies handle array i64 array i64 array i64 i64 f64 f64* f64*
status standardize handle array i64 array i64 i64 array size
i64 spectrogram_feature_count i64
status spectrogram_features handle array i64 i64 i64 i64 array size
status wasserstein_distance handle array i64 array i64 f64*
status two_sample_test handle i32 array i64 array i64 i64 u64 f64* f64*
status adjust_p_values handle i32 array i64 array size
status mean_interval handle i32 array i64 array i64 f64 i64 u64 f64* f64* f64*
void report_free handle
f64 report_value handle text
text report_text handle text
i64 report_length handle text
text report_json handle
text report_html handle
status latent_report handle handle handle handle out
status evaluate handle handle handle handle handle out
"""

#: name without "mdldm_" -> (result, [arguments])
PROTOTYPES: Dict[str, Tuple[Any, List[Any]]] = {}
for _line in _TABLE.split("\n"):
    if _line:
        _result, _name, *_arguments = _line.split()
        PROTOTYPES[_name] = (_TYPES[_result], [_TYPES[a] for a in _arguments])


def declare(library: ctypes.CDLL) -> None:
    """Gives each function of the loaded library its types."""
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, "mdldm_" + name)
        function.restype = result
        function.argtypes = arguments
