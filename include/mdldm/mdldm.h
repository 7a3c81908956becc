/* SPDX-License-Identifier: MIT
 *
 * libmdldm - latent diffusion for micro-Doppler spectrograms.
 *
 * The whole public interface. Opaque handles, fixed-width scalars, float arrays and C strings only.
 *
 * Caveats, first:
 *  - Arrays are float32, contiguous, NCHW: [n][channel][row][column]. Pixels are in [-1, 1].
 *  - Latents on this boundary are in diffusion space: mdldm_encode multiplies by the model's scaling
 *    factor, mdldm_quantize and mdldm_decode undo it.
 *  - A context is used by one thread at a time; mdldm_context_cancel alone may be called from any
 *    thread. A model may be shared by contexts while nobody trains it.
 *  - On error a function leaves its outputs untouched, sets *out to NULL where it has one, and
 *    mdldm_context_error gives one sentence: what, the value, what would be right.
 *  - Capacities are counted in elements, not bytes.
 *  - The library never prints, exits, aborts or installs signal handlers. Without callbacks it is silent.
 *  - Strings returned by the library live as long as the handle they came from, unless said otherwise.
 *  - After fork() use the library in the parent only: a child may leave or become another program.
 *  - A host may use OpenMP and BLAS itself; its threads and settings are left alone, and calls may come from inside
 *    its parallel regions. The compute threads of a context are its own and end with it. dlopen and dlclose may
 *    alternate without end: nothing stays but a plug-in, mapped once from its first use on.
 */
#ifndef MDLDM_H
#define MDLDM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDLDM_VERSION_MAJOR 0
#define MDLDM_VERSION_MINOR 1
#define MDLDM_VERSION_PATCH 0

#if defined(__GNUC__) && defined(MDLDM_BUILDING)
#define MDLDM_API __attribute__((visibility("default")))
#else
#define MDLDM_API
#endif

/* ---------------------------------------------------------------------------------------------
 * Status. Values never change.
 * ------------------------------------------------------------------------------------------- */
typedef enum mdldm_status {
    MDLDM_OK = 0,
    MDLDM_ERROR_INVALID_ARGUMENT = 1, /* a NULL, a value out of range, an unknown option */
    MDLDM_ERROR_OUT_OF_MEMORY = 2,
    MDLDM_ERROR_IO = 3,               /* open, read, write, rename, disk full */
    MDLDM_ERROR_FORMAT = 4,           /* a file is not what it says: truncated, corrupt, wrong shape */
    MDLDM_ERROR_UNSUPPORTED = 5,      /* well-formed, but beyond this library */
    MDLDM_ERROR_NOT_FOUND = 6,        /* no such file, component, class name */
    MDLDM_ERROR_UNAVAILABLE = 7,      /* the backend cannot run on this machine */
    MDLDM_ERROR_CANCELLED = 8,        /* mdldm_context_cancel, or a callback asked to stop */
    MDLDM_ERROR_NUMERIC = 9,          /* NaN or Inf where a finite value must be */
    MDLDM_ERROR_CAPACITY = 10,        /* the caller's array is too small */
    MDLDM_ERROR_INTERNAL = 11         /* our own mistake: please report it */
} mdldm_status;

/* The name of a status, "MDLDM_ERROR_IO" say; never NULL. Any thread. Since 0.1. */
MDLDM_API const char *mdldm_status_name(mdldm_status status);

/* "0.1.0". Any thread. Since 0.1. */
MDLDM_API const char *mdldm_version(void);

/* ---------------------------------------------------------------------------------------------
 * Handles
 * ------------------------------------------------------------------------------------------- */
typedef struct mdldm_context mdldm_context;
typedef struct mdldm_options mdldm_options;
typedef struct mdldm_model mdldm_model;
typedef struct mdldm_sampler mdldm_sampler;
typedef struct mdldm_dataset mdldm_dataset;
typedef struct mdldm_trainer mdldm_trainer;

/* ---------------------------------------------------------------------------------------------
 * Context: backend, scratch memory, callbacks, error text
 * ------------------------------------------------------------------------------------------- */

/* Allocator hook: resize(user, NULL, n) allocates, resize(user, p, 0) frees and returns NULL,
 * otherwise it behaves as realloc. It must be callable from several threads at once and return
 * memory aligned for any scalar type. */
typedef void *(*mdldm_resize_fn)(void *user, void *pointer, size_t size);

/* level: 0 error, 1 warning, 2 information, 3 detail. text: one line without a newline, valid
 * during the call. */
typedef void (*mdldm_log_fn)(void *user, int32_t level, const char *text);

/* stage: what is under way ("denoise", "train", "encode", "load", "calibrate", "measure"). done of total steps (total 0:
 * unknown). A return value other than 0 cancels the call as mdldm_context_cancel does. */
typedef int32_t (*mdldm_progress_fn)(void *user, const char *stage, int64_t done, int64_t total);

/* Creates a context; no backend is opened until one is needed or named. On failure *out is NULL.
 * Errors: INVALID_ARGUMENT (out is NULL), OUT_OF_MEMORY. Any thread. Since 0.1. */
MDLDM_API mdldm_status mdldm_context_create(mdldm_context **out);

/* The same with an allocator hook that serves all host memory of the context and of the handles made
 * with it (file-format libraries and backends' own libraries keep their allocators). Since 0.1. */
MDLDM_API mdldm_status mdldm_context_create_with(mdldm_resize_fn resize, void *user,
                                                 mdldm_context **out);

/* Frees the context; NULL is fine. Models, datasets and the rest made with it stay valid. */
MDLDM_API void mdldm_context_free(mdldm_context *ctx);

/* The sentence of the last failed call on this context, "" when none failed. Valid until the next
 * call. NULL gives a fixed sentence. Since 0.1. */
MDLDM_API const char *mdldm_context_error(const mdldm_context *ctx);

/* name: "auto" (the best that works; says which on the log), "reference", "cpu", "cuda", "cuda:1".
 * A backend asked for by name never falls back. Errors: NOT_FOUND (no such backend), UNAVAILABLE
 * (with the reason). The backend in use stays when the call fails. Since 0.1. */
MDLDM_API mdldm_status mdldm_context_use_backend(mdldm_context *ctx, const char *name);

/* Name of the backend in use, "" before the first. Since 0.1. */
MDLDM_API const char *mdldm_context_backend(const mdldm_context *ctx);

/* Number of compute threads, 1..1024; 0 (the default): one per available processor. Takes effect at
 * once; compiled plans are dropped when it changes. Since 0.1. */
MDLDM_API mdldm_status mdldm_context_set_threads(mdldm_context *ctx, int32_t threads);

/* Arithmetic of inference: "f32" (default) or "bf16" activations; "tf32": f32, but a GPU may multiply in
 * TF32 (significands of 11 bits), several times as fast; elsewhere the same as f32. Since 0.1. */
MDLDM_API mdldm_status mdldm_context_set_precision(mdldm_context *ctx, const char *precision);

/* 1 (the default): a backend may compute 3x3 convolutions by Winograd's method, where it reckons that it
 * is faster. Results then differ by some 1e-6 of the largest value in f32, less than other processors'
 * do. 0: never. Plans made from now on obey, of models at once, of trainers that exist not. Since 0.1. */
MDLDM_API mdldm_status mdldm_context_set_winograd(mdldm_context *ctx, int32_t enabled);

MDLDM_API void mdldm_context_set_log(mdldm_context *ctx, mdldm_log_fn fn, void *user);
MDLDM_API void mdldm_context_set_progress(mdldm_context *ctx, mdldm_progress_fn fn, void *user);

/* Asks the call now running on ctx, or the next one, to stop with MDLDM_ERROR_CANCELLED between two
 * kernels; the state of models and trainers stays whole. Any thread, also from a signal handler. */
MDLDM_API void mdldm_context_cancel(mdldm_context *ctx);

/* Backends known to this build and found at run time, best first. index 0..count-1. */
MDLDM_API int32_t mdldm_backend_count(mdldm_context *ctx);
MDLDM_API const char *mdldm_backend_name(mdldm_context *ctx, int32_t index);
MDLDM_API const char *mdldm_backend_description(mdldm_context *ctx, int32_t index);
/* NULL when the backend can be used, else one sentence why not. */
MDLDM_API const char *mdldm_backend_reason(mdldm_context *ctx, int32_t index);

/* ---------------------------------------------------------------------------------------------
 * Options: string keys, typed values, one table
 * ------------------------------------------------------------------------------------------- */
typedef enum mdldm_option_type {
    MDLDM_OPTION_INT = 0,
    MDLDM_OPTION_DOUBLE = 1,
    MDLDM_OPTION_STRING = 2,
    MDLDM_OPTION_FLAG = 3 /* an int, 0 or 1 */
} mdldm_option_type;

/* Scopes: which calls read an option. */
typedef enum mdldm_option_scope {
    MDLDM_SCOPE_MODEL = 1,    /* mdldm_model_create */
    MDLDM_SCOPE_DATASET = 2,  /* mdldm_dataset_open, mdldm_dataset_from_* */
    MDLDM_SCOPE_TRAIN = 4,    /* mdldm_trainer_create, both stages */
    MDLDM_SCOPE_VQ = 8,       /* stage 1 only */
    MDLDM_SCOPE_DIFFUSION = 16, /* stage 2 only */
    MDLDM_SCOPE_SAMPLE = 32,  /* mdldm_sampler_create, mdldm_generate */
    MDLDM_SCOPE_QUANTIZE = 64, /* mdldm_model_quantize */
    MDLDM_SCOPE_SPECTROGRAM = 128, /* mdldm_spectrogram */
    MDLDM_SCOPE_GAIT = 256, /* mdldm_gait_measure, mdldm_gait_measure_pixels, mdldm_gait_measure_dataset */
    MDLDM_SCOPE_LATENTS = 1024, /* mdldm_latent_report */
    MDLDM_SCOPE_EVALUATE = 2048 /* mdldm_evaluate */
} mdldm_option_scope;

MDLDM_API mdldm_status mdldm_options_create(mdldm_context *ctx, mdldm_options **out);
MDLDM_API void mdldm_options_free(mdldm_options *options);

/* Keys are accepted with '_' or '-'. Errors: INVALID_ARGUMENT for an unknown key (the nearest known
 * one is suggested), a wrong type, a value out of range or not among the choices. Int values are
 * taken for DOUBLE options too. The string is copied. Since 0.1. */
MDLDM_API mdldm_status mdldm_options_set_int(mdldm_context *ctx, mdldm_options *options,
                                             const char *key, int64_t value);
MDLDM_API mdldm_status mdldm_options_set_double(mdldm_context *ctx, mdldm_options *options,
                                                const char *key, double value);
MDLDM_API mdldm_status mdldm_options_set_string(mdldm_context *ctx, mdldm_options *options,
                                                const char *key, const char *value);
/* Parses text as the option's own type: what a command line needs. */
MDLDM_API mdldm_status mdldm_options_parse(mdldm_context *ctx, mdldm_options *options,
                                           const char *key, const char *text);
/* The value in force (set or default). *value of a string lives until options changes. */
MDLDM_API mdldm_status mdldm_options_get_int(mdldm_context *ctx, const mdldm_options *options,
                                             const char *key, int64_t *value);
MDLDM_API mdldm_status mdldm_options_get_double(mdldm_context *ctx, const mdldm_options *options,
                                                const char *key, double *value);
MDLDM_API mdldm_status mdldm_options_get_string(mdldm_context *ctx, const mdldm_options *options,
                                                const char *key, const char **value);
/* 1 when the key was set, 0 when its default holds or the key is unknown. */
MDLDM_API int32_t mdldm_options_is_set(const mdldm_options *options, const char *key);

/* The table. index 0..count-1; out of range gives NULL or 0. Any thread. */
MDLDM_API int32_t mdldm_option_count(void);
MDLDM_API const char *mdldm_option_key(int32_t index);
MDLDM_API int32_t mdldm_option_index(const char *key); /* -1: unknown */
MDLDM_API int32_t mdldm_option_type_of(int32_t index);  /* an mdldm_option_type */
MDLDM_API int32_t mdldm_option_scopes(int32_t index);   /* mdldm_option_scope bits */
MDLDM_API const char *mdldm_option_default(int32_t index);
MDLDM_API const char *mdldm_option_choices(int32_t index); /* "a|b|c" or "" */
MDLDM_API double mdldm_option_min(int32_t index);
MDLDM_API double mdldm_option_max(int32_t index);
MDLDM_API const char *mdldm_option_unit(int32_t index);
MDLDM_API const char *mdldm_option_help(int32_t index);
MDLDM_API const char *mdldm_option_since(int32_t index);

/* ---------------------------------------------------------------------------------------------
 * Model: a diffusers pipeline directory (autoencoder, UNet, scheduler), or one of its parts
 * ------------------------------------------------------------------------------------------- */

/* Loads DIR: a pipeline (model_index.json) or a single component (config.json with _class_name).
 * Weight files are mapped and fully validated first. Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED
 * (names the config key). Since 0.1. */
MDLDM_API mdldm_status mdldm_model_load(mdldm_context *ctx, const char *dir, mdldm_model **out);

/* Makes a new model with random weights from options of scope MODEL. Since 0.1. */
MDLDM_API mdldm_status mdldm_model_create(mdldm_context *ctx, const mdldm_options *options,
                                          mdldm_model **out);

/* Writes a diffusers pipeline directory: aside first, then renamed, so that an earlier one stays
 * whole until the new one is complete. Errors: IO. Since 0.1. */
MDLDM_API mdldm_status mdldm_model_save(mdldm_context *ctx, const mdldm_model *m, const char *dir);

MDLDM_API void mdldm_model_retain(mdldm_model *m);
MDLDM_API void mdldm_model_free(mdldm_model *m);

/* Facts by key: "latent_channels", "latent_factor" (pixels per latent cell and side), "image_channels",
 * "sample_size" (latent side of the UNet), "resolution", "num_classes" (persons; the unconditional
 * row is not counted), "num_codes", "has_autoencoder", "has_unet", "parameters",
 * "autoencoder_parameters", "unet_parameters", "num_train_timesteps", "weight_bytes", "timestep_groups"
 * (of a quantised UNet; 0: it is none). NOT_FOUND for other keys. */
MDLDM_API mdldm_status mdldm_model_get_int(mdldm_context *ctx, const mdldm_model *m,
                                           const char *key, int64_t *value);
/* "scaling_factor"; "db_floor" and "db_ceiling": what pixels -1 and 1 mean in dB, of a model of one channel that
 * was trained with such a range (NOT_FOUND: it was not). */
MDLDM_API mdldm_status mdldm_model_get_double(mdldm_context *ctx, const mdldm_model *m,
                                              const char *key, double *value);
/* "autoencoder_class", "unet_class", "scheduler_class", "prediction_type", "autoencoder_config",
 * "unet_config", "scheduler_config" (JSON text), "colormap" (undone in training, or "none"). Lives as long as it. */
MDLDM_API mdldm_status mdldm_model_get_string(mdldm_context *ctx, const mdldm_model *m,
                                              const char *key, const char **value);
/* Name of class label, NULL when out of range or unnamed. */
MDLDM_API const char *mdldm_model_class_name(const mdldm_model *m, int64_t label);

/* Tensors, for listings. component: "autoencoder" or "unet". *shape has room for 4. */
MDLDM_API int64_t mdldm_model_tensor_count(const mdldm_model *m, const char *component);
MDLDM_API const char *mdldm_model_tensor_name(const mdldm_model *m, const char *component,
                                              int64_t index);
MDLDM_API int32_t mdldm_model_tensor_shape(const mdldm_model *m, const char *component,
                                           int64_t index, int64_t *shape);
/* Multiply-accumulates of one image and bytes of planned activations at the given pixel size.
 * what: "encode", "decode", "predict". */
MDLDM_API mdldm_status mdldm_model_cost(mdldm_context *ctx, const mdldm_model *m, const char *what,
                                        int64_t height, int64_t width, int64_t *macs,
                                        int64_t *activation_bytes);

/* pixels [n,image_channels,height,width] -> latent [n,latent_channels,height/f,width/f], scaled, not quantised.
 * height and width are multiples of f = latent_factor. Since 0.1. */
MDLDM_API mdldm_status mdldm_encode(mdldm_context *ctx, const mdldm_model *m, const float *pixels,
                                    int64_t n, int64_t height, int64_t width, float *latent,
                                    size_t capacity);

/* latent [n,c,h,w] -> nearest codebook vectors (scaled back) and their indices [n,h,w]; either
 * output may be NULL. UNSUPPORTED for an autoencoder without a codebook. Since 0.1. */
MDLDM_API mdldm_status mdldm_quantize(mdldm_context *ctx, const mdldm_model *m, const float *latent,
                                      int64_t n, int64_t h, int64_t w, float *quantized,
                                      size_t capacity, int32_t *codes, size_t code_capacity);

/* One UNet evaluation. timesteps [n], labels [n] (NULL when the model has no classes; -1 in a label
 * means unconditional where the model was trained with label dropout). Since 0.1. */
MDLDM_API mdldm_status mdldm_predict(mdldm_context *ctx, const mdldm_model *m, const float *latent,
                                     int64_t n, int64_t h, int64_t w, const int64_t *timesteps,
                                     const int64_t *labels, float *output, size_t capacity);

/* latent [n,c,h,w] -> pixels [n,image_channels,h*f,w*f]; quantises first when the model has a codebook. */
MDLDM_API mdldm_status mdldm_decode(mdldm_context *ctx, const mdldm_model *m, const float *latent,
                                    int64_t n, int64_t h, int64_t w, float *pixels, size_t capacity);

/* codes [n,h,w] -> pixels [n,image_channels,h*f,w*f]. INVALID_ARGUMENT for a code outside the codebook. */
MDLDM_API mdldm_status mdldm_decode_codes(mdldm_context *ctx, const mdldm_model *m,
                                          const int32_t *codes, int64_t n, int64_t h, int64_t w,
                                          float *pixels, size_t capacity);

/* A copy of m whose UNet computes its large layers in eight bits: weights per output channel, activations
 * by ranges that are measured here, per group of timesteps, on denoising trajectories of m and on noised
 * images of d (NULL: trajectories alone). First and last convolution, embeddings, norms and attention keep
 * their precision, which is the context's. options of scope QUANTIZE; NULL for defaults. The result is a
 * model like others for mdldm_predict, samplers and mdldm_model_save, but cannot be trained or quantised
 * again. Progress stage: "calibrate". Errors: INVALID_ARGUMENT (no UNet, quantised already), NUMERIC (an
 * activation is not finite). Since 0.1. */
MDLDM_API mdldm_status mdldm_model_quantize(mdldm_context *ctx, const mdldm_model *m, const mdldm_dataset *d,
                                            const mdldm_options *options, mdldm_model **out);

/* ---------------------------------------------------------------------------------------------
 * Sampler
 * ------------------------------------------------------------------------------------------- */

/* options of scope SAMPLE; NULL for defaults. The model is retained. Since 0.1. */
MDLDM_API mdldm_status mdldm_sampler_create(mdldm_context *ctx, mdldm_model *m,
                                            const mdldm_options *options, mdldm_sampler **out);
MDLDM_API void mdldm_sampler_free(mdldm_sampler *s);

/* Number of denoise steps (a second-order warm-up may make it more than asked for). */
MDLDM_API int64_t mdldm_sampler_steps(const mdldm_sampler *s);
/* Timestep of step index; -1 out of range. Fractional for schedulers that interpolate. */
MDLDM_API double mdldm_sampler_timestep(const mdldm_sampler *s, int64_t index);

/* Starting noise of images first_index .. first_index+n-1, scaled by the scheduler's initial sigma:
 * latent [n,c,h,w]. Image k depends on the seed and k alone. */
MDLDM_API mdldm_status mdldm_sampler_noise(mdldm_context *ctx, mdldm_sampler *s, int64_t n, int64_t h,
                                           int64_t w, int64_t first_index, float *latent,
                                           size_t capacity);

/* One denoise step in place: latent [n,c,h,w], labels [n] or NULL. step_index runs 0..steps-1 in
 * order for one batch; index 0 starts a new trajectory (multistep history is dropped). */
MDLDM_API mdldm_status mdldm_denoise_step(mdldm_context *ctx, mdldm_sampler *s, float *latent,
                                          int64_t n, int64_t h, int64_t w, const int64_t *labels,
                                          int64_t first_index, int64_t step_index);

/* The scheduler's half of a denoise step with a model output given by the caller; noise [n,c,h,w]
 * replaces the sampler's own where the scheduler draws any (NULL: the sampler's own). */
MDLDM_API mdldm_status mdldm_scheduler_step(mdldm_context *ctx, mdldm_sampler *s,
                                            const float *model_output, float *latent, int64_t n,
                                            int64_t h, int64_t w, int64_t first_index,
                                            int64_t step_index, const float *noise);

/* Noise, all steps, decode: pixels [n,image_channels,height,width]. labels [n] or NULL. */
MDLDM_API mdldm_status mdldm_generate(mdldm_context *ctx, mdldm_sampler *s, int64_t n,
                                      int64_t height, int64_t width, const int64_t *labels,
                                      int64_t first_index, float *pixels, size_t capacity);

/* ---------------------------------------------------------------------------------------------
 * Data set: a folder (sub-folders are classes) or a .zip of PNG and JPEG files, or arrays in memory
 * ------------------------------------------------------------------------------------------- */
/* options of scope DATASET (their values are copied); NULL for defaults. Every file is decoded once:
 * an unreadable one is named on the log and skipped, or with the option strict it ends the call.
 * Progress stage: "check". Errors: NOT_FOUND, IO, FORMAT (no image that can be read, images both at
 * the top and in sub-folders, a broken archive), UNSUPPORTED (an encrypted archive). Since 0.1. */
MDLDM_API mdldm_status mdldm_dataset_open(mdldm_context *ctx, const char *path,
                                          const mdldm_options *options, mdldm_dataset **out);
/* The same from memory: n matrices in dB, db [n][rows][columns], row 0 at the top, for models of one channel. The
 * options db_floor and db_ceiling say what becomes -1 and 1, by default 60 dB up to the largest value of all;
 * values beyond are clamped, -inf is allowed. labels [n] or NULL: 0..; class_names "a/b/c" or NULL (names are then
 * "0", "1", ...). Oblong matrices are resized and cropped like pictures: mdldm_matrix_resize first makes them
 * square. The array is copied. Items are in order of their labels; mdldm_dataset_item_name ends with an item's place
 * in the array ("ID_1/17"). Errors: INVALID_ARGUMENT (a size, a label), NUMERIC (NaN or +inf: which value). Since 0.1. */
MDLDM_API mdldm_status mdldm_dataset_from_db(mdldm_context *ctx, const float *db, int64_t n, int64_t rows,
                                             int64_t columns, const int64_t *labels, const char *class_names,
                                             const mdldm_options *options, mdldm_dataset **out);
/* The same from n pictures, rgb [n][height][width][3]. Since 0.1. */
MDLDM_API mdldm_status mdldm_dataset_from_rgb8(mdldm_context *ctx, const uint8_t *rgb, int64_t n, int64_t height,
                                               int64_t width, const int64_t *labels, const char *class_names,
                                               const mdldm_options *options, mdldm_dataset **out);
MDLDM_API void mdldm_dataset_free(mdldm_dataset *d);
MDLDM_API int64_t mdldm_dataset_count(const mdldm_dataset *d);
/* Unreadable images that opening skipped; they are not among the count. Since 0.1. */
MDLDM_API int64_t mdldm_dataset_skipped(const mdldm_dataset *d);
MDLDM_API int64_t mdldm_dataset_class_count(const mdldm_dataset *d);
MDLDM_API const char *mdldm_dataset_class_name(const mdldm_dataset *d, int64_t label);
/* Path of an item relative to the data set's root; NULL out of range. */
MDLDM_API const char *mdldm_dataset_item_name(const mdldm_dataset *d, int64_t index);
MDLDM_API int64_t mdldm_dataset_item_label(const mdldm_dataset *d, int64_t index); /* -1: none */
/* 3 with image_mode RGB; 1 with image_mode L and for matrices; 0 for NULL. Since 0.1. */
MDLDM_API int32_t mdldm_dataset_channels(const mdldm_dataset *d);
/* What pixels -1 and 1 mean in dB: of matrices always, of pictures when db_floor and db_ceiling were given. NOT_FOUND
 * otherwise. Since 0.1. */
MDLDM_API mdldm_status mdldm_dataset_db_range(mdldm_context *ctx, const mdldm_dataset *d, double *floor_db,
                                              double *ceiling_db);
/* The item preprocessed: pixels [channels,resolution,resolution] in [-1, 1]: resized, cropped at the centre, never
 * flipped (random crops and flips belong to training). */
MDLDM_API mdldm_status mdldm_dataset_read(mdldm_context *ctx, const mdldm_dataset *d, int64_t index,
                                          float *pixels, size_t capacity);
/* The same as 8-bit RGB, [resolution][resolution][3], grey thrice where there is one channel. */
MDLDM_API mdldm_status mdldm_dataset_read_rgb8(mdldm_context *ctx, const mdldm_dataset *d,
                                               int64_t index, uint8_t *rgb, size_t capacity);

/* ---------------------------------------------------------------------------------------------
 * Images
 * ------------------------------------------------------------------------------------------- */
/* PNG or JPEG to 8-bit RGB [height][width][3]. With rgb NULL only the size is given. */
MDLDM_API mdldm_status mdldm_image_read(mdldm_context *ctx, const char *path, uint8_t *rgb,
                                        size_t capacity, int64_t *height, int64_t *width);
/* 8-bit RGB to a PNG file, written aside and renamed. */
MDLDM_API mdldm_status mdldm_image_write(mdldm_context *ctx, const char *path, const uint8_t *rgb,
                                         int64_t height, int64_t width);
/* The same with one byte a pixel: ITU-R 601 luma of colours (grey pictures: as they are), and a grey PNG. Since 0.1. */
MDLDM_API mdldm_status mdldm_image_read_grey8(mdldm_context *ctx, const char *path, uint8_t *grey,
                                              size_t capacity, int64_t *height, int64_t *width);
MDLDM_API mdldm_status mdldm_image_write_grey8(mdldm_context *ctx, const char *path, const uint8_t *grey,
                                               int64_t height, int64_t width);
/* pixels [n,3,h,w] in [-1, 1] (clamped) <-> rgb [n,h,w,3], round(127.5 * (x + 1)). */
MDLDM_API mdldm_status mdldm_pixels_to_rgb8(mdldm_context *ctx, const float *pixels, int64_t n,
                                            int64_t height, int64_t width, uint8_t *rgb,
                                            size_t capacity);
MDLDM_API mdldm_status mdldm_rgb8_to_pixels(mdldm_context *ctx, const uint8_t *rgb, int64_t n,
                                            int64_t height, int64_t width, float *pixels,
                                            size_t capacity);
/* The same for one channel: pixels [n,1,h,w] <-> grey [n,h,w]. Since 0.1. */
MDLDM_API mdldm_status mdldm_pixels_to_grey8(mdldm_context *ctx, const float *pixels, int64_t n,
                                             int64_t height, int64_t width, uint8_t *grey,
                                             size_t capacity);
MDLDM_API mdldm_status mdldm_grey8_to_pixels(mdldm_context *ctx, const uint8_t *grey, int64_t n,
                                             int64_t height, int64_t width, float *pixels,
                                             size_t capacity);

/* ---------------------------------------------------------------------------------------------
 * From radar samples to pictures, and back: spectrogram, decibels, colour maps
 *
 * Matrices are [row][column] of float, the first row at the top of the picture: rows are Doppler
 * frequencies, the highest (approaching) first, columns are time. Any thread; one at a time per context.
 * ------------------------------------------------------------------------------------------- */

/* Short-time Fourier transform of complex samples (Chen, Li, Ho and Wechsler 2006): iq[count][2] holds I and Q of
 * slow time at sample_rate in Hz (a radar's pulse rate), db gets [rows][columns] in dB: rows = n_fft Doppler
 * frequencies from just below sample_rate / 2 down to -sample_rate / 2, columns = 1 + (count - win_length) /
 * hop_length frames without padding. 0 dB is a complex exponential of amplitude 1 (db_reference full_scale), or the
 * largest value of the matrix (peak); powers below -200 dB full scale count as that. Options of scope SPECTROGRAM
 * choose window, lengths and the removal of what does not move; NULL for defaults. The transform is computed in
 * float: what is 130 dB below a frame's strongest echo drowns in its rounding.
 * With db NULL only *rows and *columns are given (either may be NULL); iq may then be NULL too.
 * Errors: INVALID_ARGUMENT (an option, a rate, fewer samples than a window), CAPACITY, NUMERIC (a sample is not
 * finite: which one), UNAVAILABLE (no shared library kissfft on this machine). Since 0.1. */
MDLDM_API mdldm_status mdldm_spectrogram(mdldm_context *ctx, const float *iq, int64_t count, double sample_rate,
                                         const mdldm_options *options, float *db, size_t capacity,
                                         int64_t *rows, int64_t *columns);
/* Its axes: frequency[rows] in Hz, falling, 0 among them; time[columns] in s, of each window's middle since the
 * first sample. Either may be NULL. The velocity of a row is frequency * c / (2 * carrier). Since 0.1. */
MDLDM_API mdldm_status mdldm_spectrogram_axes(mdldm_context *ctx, int64_t count, double sample_rate,
                                              const mdldm_options *options, double *frequency,
                                              size_t frequency_capacity, double *time, size_t time_capacity);

/* matrix [rows][columns] -> out [out_rows][out_columns]: bilinear where it grows, the triangle filter as wide as
 * the reduction where it shrinks (Pillow's BILINEAR in mode F); -inf dB stay so. Sides are 1 to 16777216. Errors:
 * INVALID_ARGUMENT (a side), NUMERIC (NaN or +inf: which value), CAPACITY. Since 0.1. */
MDLDM_API mdldm_status mdldm_matrix_resize(mdldm_context *ctx, const float *matrix, int64_t rows, int64_t columns,
                                           int64_t out_rows, int64_t out_columns, float *out, size_t capacity);

/* The range of a picture: *ceiling_db is the largest of db[count], *floor_db dynamic_range (in dB, more than 0)
 * below. One range for all recordings, chosen once, keeps their strengths comparable. NUMERIC: NaN, +inf, or
 * nothing above -inf. Since 0.1. */
MDLDM_API mdldm_status mdldm_db_range(mdldm_context *ctx, const float *db, size_t count, double dynamic_range,
                                      double *floor_db, double *ceiling_db);
/* dB <-> [0, 1] and dB <-> pixels in [-1, 1] (what models take): floor_db goes to the low end, ceiling_db to the
 * high one, linear between, clamped beyond, in both directions. In place is fine. NUMERIC: NaN. Since 0.1. */
MDLDM_API mdldm_status mdldm_db_to_unit(mdldm_context *ctx, const float *db, size_t count, double floor_db,
                                        double ceiling_db, float *unit, size_t capacity);
MDLDM_API mdldm_status mdldm_unit_to_db(mdldm_context *ctx, const float *unit, size_t count, double floor_db,
                                        double ceiling_db, float *db, size_t capacity);
MDLDM_API mdldm_status mdldm_db_to_pixels(mdldm_context *ctx, const float *db, size_t count, double floor_db,
                                          double ceiling_db, float *pixels, size_t capacity);
MDLDM_API mdldm_status mdldm_pixels_to_db(mdldm_context *ctx, const float *pixels, size_t count, double floor_db,
                                          double ceiling_db, float *db, size_t capacity);

/* Colour maps of 256 colours by name: "jet" (MATLAB's), "viridis", "parula-like" (our own), "turbo", "grey".
 * index 0..count-1, NULL out of range. Since 0.1. */
MDLDM_API int32_t mdldm_colormap_count(void);
MDLDM_API const char *mdldm_colormap_name(int32_t index);
/* values[count] clamped to [low, high] -> rgb [count][3]: colour floor((v - low) / (high - low) * 256), as
 * imagesc and matplotlib choose it. NUMERIC: NaN. Since 0.1. */
MDLDM_API mdldm_status mdldm_colormap_apply(mdldm_context *ctx, const char *name, const float *values,
                                            size_t count, float low, float high, uint8_t *rgb,
                                            size_t capacity);
/* The way back: rgb [count][3] -> values[count] in [low, high], from the nearest point of the map, straight
 * lines between its colours; colour i is low + (high - low) * (i + 0.5) / 256, the middle of what apply gives that
 * colour. residuals[count] (NULL: not wanted): the colour's distance from the map in RGB space, in steps of 8
 * bits, 0 to 441.7. *mean_residual and *max_residual (either NULL) sum up: near 0 for a picture of this map, a
 * few steps after JPEG, tens for another map or for text and axes in the picture. Since 0.1. */
MDLDM_API mdldm_status mdldm_colormap_invert(mdldm_context *ctx, const char *name, const uint8_t *rgb,
                                             size_t count, float low, float high, float *values,
                                             size_t capacity, float *residuals, size_t residual_capacity,
                                             double *mean_residual, double *max_residual);

/* ---------------------------------------------------------------------------------------------
 * Trainer
 * ------------------------------------------------------------------------------------------- */
typedef enum mdldm_stage {
    MDLDM_STAGE_AUTOENCODER = 1, /* VQModel on pixels */
    MDLDM_STAGE_DIFFUSION = 2    /* UNet2DModel on the latents of the model's autoencoder */
} mdldm_stage;

/* Holds model and data set. options of scopes TRAIN and VQ or DIFFUSION. With the option
 * resume_from_checkpoint it starts where that checkpoint stands. Since 0.1. */
MDLDM_API mdldm_status mdldm_trainer_create(mdldm_context *ctx, mdldm_stage stage, mdldm_model *m,
                                            mdldm_dataset *d, const mdldm_options *options,
                                            mdldm_trainer **out);
MDLDM_API void mdldm_trainer_free(mdldm_trainer *t);

/* One optimiser step (gradient_accumulation_steps batches). NUMERIC: names the layer; the weights
 * are those before the step. CANCELLED: the step did not happen. Since 0.1. */
MDLDM_API mdldm_status mdldm_trainer_step(mdldm_context *ctx, mdldm_trainer *t);
MDLDM_API int64_t mdldm_trainer_global_step(const mdldm_trainer *t);
MDLDM_API int64_t mdldm_trainer_total_steps(const mdldm_trainer *t);
MDLDM_API int64_t mdldm_trainer_epoch(const mdldm_trainer *t);
MDLDM_API int64_t mdldm_trainer_steps_per_epoch(const mdldm_trainer *t);

/* Metrics of the last step (and of the last validation, "val_*"). */
MDLDM_API int32_t mdldm_trainer_metric_count(const mdldm_trainer *t);
MDLDM_API const char *mdldm_trainer_metric_name(const mdldm_trainer *t, int32_t index);
MDLDM_API double mdldm_trainer_metric_value(const mdldm_trainer *t, int32_t index);
/* The value by name, NaN when there is none. */
MDLDM_API double mdldm_trainer_metric(const mdldm_trainer *t, const char *name);

/* Stage 1: validation split through the autoencoder: val_psnr, val_ssim, val_codes_used, ...
 * Stage 2: mean loss at fixed timesteps and noise: val_loss. */
MDLDM_API mdldm_status mdldm_trainer_validate(mdldm_context *ctx, mdldm_trainer *t);

/* Writes <output_dir>/checkpoint-<step>, atomically, and removes the oldest beyond the limit. */
MDLDM_API mdldm_status mdldm_trainer_checkpoint(mdldm_context *ctx, mdldm_trainer *t);

/* Copies the trained weights (EMA when it is on) into the model, so that sampling, encoding and
 * mdldm_model_save see them; measures the latent scale in stage 1. */
MDLDM_API mdldm_status mdldm_trainer_update_model(mdldm_context *ctx, mdldm_trainer *t);

/* ---------------------------------------------------------------------------------------------
 * Gait measures: what a radar person reads from the spectrogram of a walker
 *
 * From each matrix in dB (rows are Doppler, the highest first, columns are time) three curves over time, the upper and
 * the lower Doppler envelope and the torso line, and from these and the echo a row of measures: torso Doppler, bandwidths,
 * step frequency, spectral entropy and more (docs/GAIT_MEASURES.md defines each). Options of scope GAIT say what the axes
 * mean; without them Doppler counts in rows above zero_doppler and step frequencies in cycles per picture. An
 * offset in dB changes nothing, a factor only what is in dB, spectral_entropy and torso_to_limb. Computed on the calling
 * thread.
 * ------------------------------------------------------------------------------------------- */

/* The measures: name ("step_frequency"), unit ("doppler", "frequency", "dB" or "") and one line of explanation. index
 * 0..count-1, NULL out of range. New ones come at the end. Any thread. Since 0.2. */
MDLDM_API int32_t mdldm_gait_measure_count(void);
MDLDM_API const char *mdldm_gait_measure_name(int32_t index);
MDLDM_API const char *mdldm_gait_measure_unit(int32_t index);
MDLDM_API const char *mdldm_gait_measure_help(int32_t index);

/* db [n][rows][columns] -> values [n][mdldm_gait_measure_count()], and curves [n][3][columns]: upper envelope, lower
 * envelope, torso line (NULL: not wanted). NaN: not there to be measured; step_frequency, step_depth and torso_bob are
 * where no step is seen, curves where a column has no echo. -inf dB is allowed. Sides are 8 to 16384. Errors:
 * INVALID_ARGUMENT (a NULL, a side, an option), CAPACITY, NUMERIC (NaN or +inf: which value, or nothing above -inf),
 * CANCELLED. Progress stage: "measure". Since 0.2. */
MDLDM_API mdldm_status mdldm_gait_measure(mdldm_context *ctx, const float *db, int64_t n, int64_t rows,
                                          int64_t columns, const mdldm_options *options, double *values,
                                          size_t capacity, double *curves, size_t curve_capacity);
/* The same of pixels [n,channels,rows,columns] in [-1, 1]: of 3 channels the option colormap is undone (none: luma),
 * then -1 to 1 are db_floor to db_ceiling, where these are equal -40 to 0 dB. Since 0.2. */
MDLDM_API mdldm_status mdldm_gait_measure_pixels(mdldm_context *ctx, const float *pixels, int64_t n, int64_t channels,
                                                 int64_t rows, int64_t columns, const mdldm_options *options,
                                                 double *values, size_t capacity, double *curves,
                                                 size_t curve_capacity);
/* The same of all items of a data set, as mdldm_dataset_read gives them, a row of values each; its own range in
 * dB counts where options give none. Since 0.2. */
MDLDM_API mdldm_status mdldm_gait_measure_dataset(mdldm_context *ctx, const mdldm_dataset *d,
                                                  const mdldm_options *options, double *values, size_t capacity);

/* ---------------------------------------------------------------------------------------------
 * Evaluation: numbers on feature sets and samples
 *
 * A feature set is a matrix [n][d] of float, a row per image; the features are the caller's, or those of
 * mdldm_spectrogram_features. A sample is an array of double. What is random follows from the seed alone. All are
 * computed on the calling thread, whatever the backend. Common errors: INVALID_ARGUMENT (a NULL, too few rows, a
 * parameter out of range), NUMERIC (a value is not finite: its row and column), OUT_OF_MEMORY, CANCELLED.
 * ------------------------------------------------------------------------------------------- */

/* Frechet distance of a [na][d] and b [nb][d], of 2 rows or more: squared, between the normal distributions with their
 * means and covariances, |ma - mb|^2 + tr Ca + tr Cb - 2 tr (Ca Cb)^(1/2) (the "FID" of Heusel et al. 2017 in a
 * feature space of one's own). 0 for equal sets. Fewer rows than features are allowed, but few rows make distances
 * larger: compare only sets of like size. d is at most 16384. UNAVAILABLE: no shared library LAPACK on this machine.
 * Since 0.2. */
MDLDM_API mdldm_status mdldm_frechet_distance(mdldm_context *ctx, const float *a, int64_t na, const float *b,
                                              int64_t nb, int64_t d, double *distance);

/* Kernel distance (KID, Binkowski et al. 2018): the unbiased estimate of the squared maximum mean discrepancy under the
 * kernel (x.y / d + 1)^3, which may be below 0; the mean over `subsets` (2 or more; 100 is usual) random subsets of
 * subset_size rows (0: half the smaller set; less than it). *standard_error of that mean as an estimate from the whole
 * sets, by the spread over the subsets. With standard_error NULL one subset will do, and it may be the smaller set's
 * size. Sets of 4 rows or more. Since 0.2. */
MDLDM_API mdldm_status mdldm_kernel_distance(mdldm_context *ctx, const float *a, int64_t na, const float *b, int64_t nb,
                                             int64_t d, int64_t subsets, int64_t subset_size, uint64_t seed,
                                             double *distance, double *standard_error);

/* A fake is in the real set's reach when some real row is nearer than that row's k-th real neighbour. *precision: share
 * of fakes in reach; *recall: share of real rows in the fakes' reach (Kynkaanniemi et al. 2019); *density: mean
 * number of real rows within whose reach a fake is, over k (may exceed 1); *coverage: share of real rows with a fake
 * in reach (Naeem et al. 2020). 1 <= k < rows of either. Any output may be NULL. Since 0.2. */
MDLDM_API mdldm_status mdldm_precision_recall(mdldm_context *ctx, const float *real, int64_t n_real, const float *fake,
                                              int64_t n_fake, int64_t d, int64_t k, double *precision, double *recall,
                                              double *density, double *coverage);

/* distances[n] from each row of from [n][d] to the nearest row of to [m][d], Euclidean, and which that is (nearest may
 * be NULL). capacity: of each array. Since 0.2. */
MDLDM_API mdldm_status mdldm_nearest_distances(mdldm_context *ctx, const float *from, int64_t n, const float *to,
                                               int64_t m, int64_t d, double *distances, int64_t *nearest,
                                               size_t capacity);

/* Is the generator repeating its training images? *threshold: the quantile (0.01: the 1st percentile) of the distances
 * from held-out real rows to the nearest training row; *share of the fakes that are nearer than that to one. A
 * generator that learnt the distribution has a share of about the quantile. Since 0.2. */
MDLDM_API mdldm_status mdldm_near_copies(mdldm_context *ctx, const float *train, int64_t n_train, const float *held_out,
                                         int64_t n_held_out, const float *fake, int64_t n_fake, int64_t d,
                                         double quantile, double *threshold, double *share);

/* out [n][d]: x [n][d] less the mean of the reference's columns, over their standard deviation (n - 1); columns that
 * are constant in the reference are moved only. So that no feature counts more than another because of its unit.
 * In place is fine. Since 0.2. */
MDLDM_API mdldm_status mdldm_standardize(mdldm_context *ctx, const float *reference, int64_t n_reference, const float *x,
                                         int64_t n, int64_t d, float *out, size_t capacity);

/* Fixed features of pixels [n,channels,height,width], channels 1 or 3, that need no training: pixels' moments, size and
 * shape of a Haar pyramid's bands at six scales, Doppler marginals, autocorrelation in time and Doppler (docs/METRICS.md
 * has the formulae). Pictures are first averaged onto (or repeated on) a grid of 256 x 256, so that the size matters
 * little. features [n][mdldm_spectrogram_feature_count(channels)]; in sets, standardise them. Sides are 2 to 16384.
 * Since 0.2. */
MDLDM_API int64_t mdldm_spectrogram_feature_count(int64_t channels); /* 132, 208; 0: no such number of channels */
MDLDM_API mdldm_status mdldm_spectrogram_features(mdldm_context *ctx, const float *pixels, int64_t n, int64_t channels,
                                                  int64_t height, int64_t width, float *features, size_t capacity);

/* Wasserstein-1 distance of two samples: the area between their distribution functions, in the samples' unit. Since
 * 0.2. */
MDLDM_API mdldm_status mdldm_wasserstein_distance(mdldm_context *ctx, const double *a, int64_t na, const double *b,
                                                  int64_t nb, double *distance);

typedef enum mdldm_test {
    MDLDM_TEST_KOLMOGOROV_SMIRNOV = 0, /* the largest difference of the distribution functions, two-sided */
    MDLDM_TEST_WASSERSTEIN = 1         /* the Wasserstein-1 distance, by permutations */
} mdldm_test;

/* Do two samples come from one distribution? *p_value: the chance of a statistic as large if they do. KOLMOGOROV_SMIRNOV
 * is exact while na nb is at most 1e8, else asymptotic; permutations and seed do not matter. WASSERSTEIN tries all ways
 * to deal the values where there are at most `permutations` (1 or more; 9999 is usual), else that many random ones, the
 * given one counted with them. Since 0.2. */
MDLDM_API mdldm_status mdldm_two_sample_test(mdldm_context *ctx, mdldm_test test, const double *a, int64_t na,
                                             const double *b, int64_t nb, int64_t permutations, uint64_t seed,
                                             double *statistic, double *p_value);

typedef enum mdldm_correction {
    MDLDM_CORRECTION_HOLM = 0,              /* bounds the chance of any false rejection */
    MDLDM_CORRECTION_BENJAMINI_HOCHBERG = 1 /* bounds the expected share of false ones among the rejections */
} mdldm_correction;

/* adjusted[n]: p_values[n] of n tests made together, to be compared with the level as if each stood alone. In place is
 * fine. Since 0.2. */
MDLDM_API mdldm_status mdldm_adjust_p_values(mdldm_context *ctx, mdldm_correction correction, const double *p_values,
                                             int64_t n, double *adjusted, size_t capacity);

typedef enum mdldm_interval {
    MDLDM_INTERVAL_T = 0,          /* Student's; of two samples Welch's */
    MDLDM_INTERVAL_PERCENTILE = 1, /* quantiles of bootstrap resamples */
    MDLDM_INTERVAL_BCA = 2         /* the same, corrected for bias and skewness (Efron 1987) */
} mdldm_interval;

/* *estimate = mean(a) - mean(b) of independent samples and its confidence interval *low..*high; with b NULL the mean of
 * a, which for paired samples are their differences. 2 values or more; confidence in (0, 1), 0.95 say; resamples 100 or
 * more (9999 is usual) and seed are for the bootstrap. Since 0.2. */
MDLDM_API mdldm_status mdldm_mean_interval(mdldm_context *ctx, mdldm_interval interval, const double *a, int64_t na,
                                           const double *b, int64_t nb, double confidence, int64_t resamples,
                                           uint64_t seed, double *estimate, double *low, double *high);

/* ---------------------------------------------------------------------------------------------
 * Reports: what a measuring call found
 *
 * A tree of numbers, texts and arrays. A path names a place in it, by names and by numbers from 0 on in arrays, with dots
 * between: "channels.0.kurtosis". Any thread; texts live as long as the report.
 * ------------------------------------------------------------------------------------------- */

typedef struct mdldm_report mdldm_report;

MDLDM_API void mdldm_report_free(mdldm_report *r);
/* The number at path; NaN: none is there, or what was measured has no value. Since 0.2. */
MDLDM_API double mdldm_report_value(const mdldm_report *r, const char *path);
/* The text at path, NULL: none is there. Since 0.2. */
MDLDM_API const char *mdldm_report_text(const mdldm_report *r, const char *path);
/* Entries of the array or object at path, "" the whole; 0: none is there. Since 0.2. */
MDLDM_API int64_t mdldm_report_length(const mdldm_report *r, const char *path);
/* All of it as JSON. Numbers without a value are null. Since 0.2. */
MDLDM_API const char *mdldm_report_json(const mdldm_report *r);
/* All of it as one HTML page for people, plots and pictures inside, without scripts; NULL: only mdldm_evaluate makes
 * one. Since 0.2. */
MDLDM_API const char *mdldm_report_html(const mdldm_report *r);

/* Before stage 2: can a diffusion model learn the latents that this autoencoder makes of these images? Scale, moments,
 * correlations and spectrum of the latents, the error of the best linear denoiser, a linear probe, the decoder between
 * neighbouring latents, the codebook's use; and sentences in "warnings", each with the option to change. docs/LATENT_REPORT.md has
 * every name, and what is good and bad. Options of scope LATENTS; images are read as mdldm_dataset_read gives them.
 * Errors: INVALID_ARGUMENT (a NULL, less than 2 images, sizes or channels that do not fit), UNSUPPORTED (no autoencoder), and
 * those of mdldm_encode, mdldm_decode and mdldm_dataset_read. Progress stage: "measure". Since 0.2. */
MDLDM_API mdldm_status mdldm_latent_report(mdldm_context *ctx, const mdldm_model *m, const mdldm_dataset *d,
                                           const mdldm_options *options, mdldm_report **out);

/* Generated pictures against real ones: distances in fixed features, over all and per class, with those of real against
 * real as the yardstick; whose real image is nearest; gait measures per class with tests; with train, whose images the
 * generator learnt from and real then must not overlap, near copies. Sets are opened with the same resolution and
 * channels; classes are matched by name (any set without: all are one). train may be NULL. Options of scope EVALUATE.
 * In the report: "values.frechet_fixed", "tables.classes_fixed.ID_1.kernel" and so on; docs/EVALUATION.md has every name.
 * Errors: INVALID_ARGUMENT (a NULL, sets that do not fit together, less than 4 images), those of mdldm_dataset_read.
 * Progress stages: "features", "distances", "measure", "pairs". Since 0.2. */
MDLDM_API mdldm_status mdldm_evaluate(mdldm_context *ctx, const mdldm_dataset *real, const mdldm_dataset *fake,
                                      const mdldm_dataset *train, const mdldm_options *options, mdldm_report **out);

#ifdef __cplusplus
}
#endif
#endif /* MDLDM_H */
