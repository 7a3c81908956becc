/* SPDX-License-Identifier: MIT
 * The gateway between MATLAB or Octave and libmdldm: [...] = mdldm_mex(command, ...).
 *
 * Errors of the MEX API leave through mexFunction by an exception or longjmp, so commands never raise
 * any: they return a status, and mexFunction raises the error after everything was put in order. What a
 * command needs for its own time is scratch memory of mxMalloc (the host takes it back whatever
 * happens) or is handed to mex_keep. Only real arrays are read, through mxGetData, which is the same in
 * the interleaved and the separate complex API. */
#ifndef MDLDM_MEX_H
#define MDLDM_MEX_H

#include <mdldm/mdldm.h>
#include <mex.h>

/* One call; nrhs and prhs are without the command's name. */
typedef struct mex_call {
    const char *command;
    int nlhs, nrhs;
    mxArray **plhs;
    const mxArray **prhs;
    const mxArray *progress, *log; /* function handles, or NULL */
    int interrupted;               /* by Ctrl-C */
    int asked;                     /* the context was asked to cancel */
    int made;                      /* plhs[0] is a new handle */
    mdldm_status failed;           /* what mex_fail was told */
    char id[64], text[1024];       /* of the error, once there is one; text "": the context's sentence */
} mex_call;

typedef mdldm_status (*mex_command)(mex_call *c);

/* ---- mex_state.c: what lasts from call to call ---- */
typedef enum mex_kind { MEX_MODEL = 1, MEX_SAMPLER, MEX_DATASET, MEX_TRAINER } mex_kind;

mdldm_context *mex_context(void); /* the one context; NULL: no memory */
/* Gives everything back; mexAtExit calls it. */
void mex_release_all(void);
/* Puts a new object of the library into the table and its handle (uint64 scalar) into *out. The table
 * owns it, also when this fails. */
mdldm_status mex_handle_new(mex_call *c, mex_kind kind, void *object, mxArray **out);
/* The object behind argument index; NULL with the error set when it is none of that kind. */
void *mex_handle_get(mex_call *c, int index, mex_kind kind);
/* Frees the object of a handle; one that is gone is fine, since destructors may come late. */
void mex_handle_free(const mxArray *handle);
/* The same as soon as the call under way has ended, which may need the object. */
void mex_handle_doom(const mxArray *handle);
void mex_bury_doomed(void);
int32_t mex_handle_count(void);
/* Releases object at the end of this call, whatever way it ends; at once when this fails. */
typedef void (*mex_release)(void *object);
mdldm_status mex_keep(mex_call *c, void *object, mex_release release);
void mex_drop_kept(void);

/* ---- mex_args.c: arguments and errors ---- */
mdldm_status mex_fail(mex_call *c, mdldm_status status, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* "invalid_argument" for MDLDM_ERROR_INVALID_ARGUMENT, and so on. */
void mex_status_id(mdldm_status status, char *id, size_t size);
mdldm_status mex_want(mex_call *c, int least, int most);
/* Text of an argument, UTF-8, valid until the call ends; NULL with the error set. */
const char *mex_text(mex_call *c, const mxArray *a, const char *what);
mdldm_status mex_number(mex_call *c, const mxArray *a, const char *what, double *value);
mdldm_status mex_integer(mex_call *c, const mxArray *a, const char *what, int64_t low, int64_t high, int64_t *value);
/* count whole numbers; a scalar stands for all. An empty array gives NULL. */
mdldm_status mex_integers(mex_call *c, const mxArray *a, const char *what, int64_t count, int64_t **values);
void *mex_scratch(mex_call *c, int64_t count, size_t size); /* NULL with the error set */
int64_t mex_fact(const mdldm_model *m, const char *key);
mxArray *mex_string(const char *text); /* NULL counts as "" */
void mex_put(mex_call *c, int index, mxArray *a); /* output index above 0, if it is wanted */

/* ---- mex_options.c ---- */
/* options from a 2-by-k cell array {name; value}. scopes: what this call reads. */
mdldm_status mex_options(mex_call *c, const mxArray *cell, int32_t scopes, mdldm_options **out);

/* ---- mex_layout.c: [H W C N] column by column <-> the library's rows ---- */
typedef struct mex_shape {
    int64_t n, h, w, c;
} mex_shape;
/* Shape of a numeric array [H W C N]; channels 0: any number. */
mdldm_status mex_shape_of(mex_call *c, const mxArray *a, const char *what, int64_t channels, mex_shape *shape);
/* Images first..first+count-1 of a, [H W C N] uint8, single or double, as pixels [count, C, H, W]: uint8
 * 0..255 becomes -1..1, other numbers stay. */
mdldm_status mex_to_pixels(const mxArray *a, mex_shape s, int64_t first, int64_t count, float *pixels);
/* The same for arrays that are no pictures: single or double to float. */
mdldm_status mex_to_floats(mex_call *c, const mxArray *a, const char *what, mex_shape s, float *values);
mxArray *mex_new_array(mex_shape s, mxClassID type);
void mex_from_floats(const float *values, mex_shape s, mxArray *out, int64_t first);
mdldm_status mex_from_pixels(mex_call *c, const float *pixels, mex_shape s, mxArray *out, int64_t first);
mdldm_status mex_to_rgb8(mex_call *c, const mxArray *a, mex_shape s, uint8_t *rgb);
void mex_from_rgb8(const uint8_t *rgb, mex_shape s, mxArray *out, int64_t first);

/* ---- mex_callbacks.c, mex_interrupt.c ---- */
void mex_callbacks_begin(mex_call *c);
void mex_callbacks_end(mex_call *c);
void mex_interrupt_begin(mdldm_context *ctx);
void mex_interrupt_end(mex_call *c);
int mex_interrupt_poll(mex_call *c); /* from a progress report; 1: Ctrl-C */

/* ---- the commands ---- */
mdldm_status mex_cmd_version(mex_call *c);
mdldm_status mex_cmd_options(mex_call *c);
mdldm_status mex_cmd_configure(mex_call *c);
mdldm_status mex_cmd_backends(mex_call *c);
mdldm_status mex_cmd_free(mex_call *c);
mdldm_status mex_cmd_handles(mex_call *c);
mdldm_status mex_cmd_load(mex_call *c);
mdldm_status mex_cmd_create(mex_call *c);
mdldm_status mex_cmd_save(mex_call *c);
mdldm_status mex_cmd_info(mex_call *c);
mdldm_status mex_cmd_quantize_unet(mex_call *c);
mdldm_status mex_cmd_encode(mex_call *c);
mdldm_status mex_cmd_quantize(mex_call *c);
mdldm_status mex_cmd_predict(mex_call *c);
mdldm_status mex_cmd_decode(mex_call *c);
mdldm_status mex_cmd_decode_codes(mex_call *c);
mdldm_status mex_cmd_sampler(mex_call *c);
mdldm_status mex_cmd_noise(mex_call *c);
mdldm_status mex_cmd_denoise_step(mex_call *c);
mdldm_status mex_cmd_generate(mex_call *c);
mdldm_status mex_cmd_dataset(mex_call *c);
mdldm_status mex_cmd_dataset_from(mex_call *c);
mdldm_status mex_cmd_dataset_read(mex_call *c);
mdldm_status mex_cmd_image_read(mex_call *c);
mdldm_status mex_cmd_image_write(mex_call *c);
mdldm_status mex_cmd_spectrogram(mex_call *c);
mdldm_status mex_cmd_matrix_resize(mex_call *c);
mdldm_status mex_cmd_db_range(mex_call *c);
mdldm_status mex_cmd_scale(mex_call *c);
mdldm_status mex_cmd_colormaps(mex_call *c);
mdldm_status mex_cmd_colormap_apply(mex_call *c);
mdldm_status mex_cmd_colormap_invert(mex_call *c);
mdldm_status mex_cmd_trainer(mex_call *c);
mdldm_status mex_cmd_trainer_do(mex_call *c);

#endif
