/* SPDX-License-Identifier: MIT
 * Safetensors: round trips, values of every type we read, each way a file can lie, and shards. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/io_fault.h"
#include "io/safetensors_set.h"
#include "../support/temp_dir.h"

static mdldm__env env;
static char *folder;

static int setup(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    folder = temp_dir_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mdldm__io_fail_after(0);
    temp_dir_remove(folder);
    return 0;
}

/* A file of this header text and so many bytes of data, counting up from 0. */
static const char *make_file(const char *name, const char *header, size_t data_size)
{
    size_t length = strlen(header);
    uint8_t *bytes = malloc(8 + length + data_size);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + length + i] = (uint8_t)i;
    const char *path = temp_path(folder, name);
    temp_write(path, bytes, 8 + length + data_size);
    free(bytes);
    return path;
}

static void refused_as(mdldm_status status, const char *path, const char *sentence)
{
    mdldm__safetensors st;
    assert_int_equal(mdldm__safetensors_open(&env, path, &st), status);
    if (strstr(env.error, path) == NULL || strstr(env.error, sentence) == NULL)
        fail_msg("\"%s\" should name the file and say \"%s\"", env.error, sentence);
}

static void refused(const char *header, size_t data_size, const char *sentence)
{
    refused_as(MDLDM_ERROR_FORMAT, make_file("f.safetensors", header, data_size), sentence);
}

static void accepted(const char *header, size_t data_size, int64_t count)
{
    mdldm__safetensors st;
    const char *path = make_file("f.safetensors", header, data_size);
    if (mdldm__safetensors_open(&env, path, &st) != MDLDM_OK)
        fail_msg("%s", env.error);
    assert_int_equal(st.count, count);
    mdldm__safetensors_close(&st);
}

static void hostile_headers(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "raw.safetensors");
    temp_write(path, "", 0);
    refused_as(MDLDM_ERROR_FORMAT, path, "has 0 bytes");
    temp_write(path, "\x02\0\0\0", 4);
    refused_as(MDLDM_ERROR_FORMAT, path, "has 4 bytes");
    temp_write(path, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    refused_as(MDLDM_ERROR_FORMAT, path, "header length 18446744073709551615 is beyond");
    temp_write(path, "\x01\xe1\xf5\x05\0\0\0\0{}", 10); /* one more than the limit */
    refused_as(MDLDM_ERROR_FORMAT, path, "header length 100000001 is beyond");
    temp_write(path, "\x00\xe1\xf5\x05\0\0\0\0{}", 10); /* the limit itself */
    refused_as(MDLDM_ERROR_FORMAT, path, "header of 100000000 bytes, but only 2 follow: the file is truncated");
    temp_write(path, "\x03\0\0\0\0\0\0\0{}", 10);
    refused_as(MDLDM_ERROR_FORMAT, path, "header of 3 bytes, but only 2 follow");
    temp_write(path, "\0\0\0\0\0\0\0\0", 8);
    refused_as(MDLDM_ERROR_FORMAT, path, "must start with '{'");
    refused_as(MDLDM_ERROR_NOT_FOUND, temp_path(folder, "none.safetensors"), "No such file");
    refused_as(MDLDM_ERROR_IO, folder, "is a folder");
    refused("[]", 0, "must start with '{'");
    refused(" {}", 0, "must start with '{'");
    refused("{\"a\":", 0, "no valid JSON");
    refused("{}x", 0, "no valid JSON");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
            "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}}", 8, "duplicate object key");
    accepted("{}", 0, 0);
    accepted("{}      ", 0, 0);
    refused("{}", 1, "1 bytes of data, but the tensors use 0");
}

static void hostile_entries(void **state)
{
    (void)state;
    refused("{\"a\":[]}", 0, "entry of tensor \"a\" must be an object");
    refused("{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, "\"a\" lacks a \"dtype\"");
    refused("{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "\"a\" lacks a \"dtype\"");
    refused("{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype \"F31\"");
    refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "lacks a \"shape\"");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "lacks a \"shape\"");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "dimension 0 must be an integer");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1.0],\"data_offsets\":[0,4]}}", 4,
            "dimension 1 must be an integer");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "overflows");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
            "0 bytes of data, but 4611686018427387904 elements of F32");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}}", 0, "no valid JSON");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "must be two integers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "must be two integers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "must be two integers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,\"4\"]}}", 4, "must be two integers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "do not run forward");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "do not run forward");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3,
            "ends at byte 4, but only 3 bytes of data are there");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,9223372036854775807]}}", 4, "truncated?");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "4 bytes of data, but 2 elements");
    refused("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "1 bytes of data, but 3 elements");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"b\":1}}", 4, "unknown key \"b\"");
    refused("{\"__metadata__\":[]}", 0, "\"__metadata__\" must be an object");
    refused("{\"__metadata__\":{\"k\":1}}", 0, "\"k\" in __metadata__ must be a string");
    refused_as(MDLDM_ERROR_UNSUPPORTED,
               make_file("f.safetensors", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],"
                         "\"data_offsets\":[0,1]}}", 1), "has 9 dimensions");
}

static void hostile_tilings(void **state)
{
    (void)state;
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
            "\"b\" starts at byte 4 of the data where 8 would be right: tensors overlap");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "overlap");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}", 12, "a hole before it");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "a hole before it");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "but the tensors use 4");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            "\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[2,2]}}", 4, "overlap");
    accepted("{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},"
             "\"e\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[4,4]},"
             "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
             "\"z\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[8,11]}}", 11, 4);
}

static void values_of_every_type(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "v.safetensors");
    const int64_t dims[] = {2, 3};
    const float f32[6] = {0.0f, -1.5f, 3.25e-20f, 1e30f, INFINITY, -2.0f};
    /* 1, -2, smallest subnormal, largest, NaN, -0 in each 16-bit type */
    const uint16_t f16[6] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x7e00, 0x8000};
    const uint16_t bf16[6] = {0x3f80, 0xc000, 0x0001, 0x7f7f, 0x7fc0, 0x8000};
    const int32_t i32[6] = {1, -2, 3, -4, 5, 16777216};
    mdldm__st_writer *w;
    assert_int_equal(mdldm__st_writer_open(&env, path, &w), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_metadata(w, "format", "pt"), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "z.f32", MDLDM_F32, 2, dims), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "f16", MDLDM_F16, 1, (const int64_t[]){6}), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "bf16", MDLDM_BF16, 2, dims), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "i32", MDLDM_I32, 2, dims), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "scalar", MDLDM_F32, 0, NULL), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "i32", MDLDM_I32, 2, dims), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(env.error, "\"i32\" cannot be written twice"));
    assert_int_equal(mdldm__st_writer_data(w, f32, sizeof f32), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_data(w, f16, sizeof f16), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_data(w, bf16, sizeof bf16), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_data(w, i32, sizeof i32), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_data(w, f32 + 1, sizeof(float)), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_commit(w), MDLDM_OK);

    size_t size;
    char *file = temp_read(path, &size);
    assert_int_equal(((uint8_t)file[0] | (uint8_t)file[1] << 8) % 8, 0); /* data starts at a multiple of 8 */
    free(file);

    mdldm__safetensors st;
    assert_int_equal(mdldm__safetensors_open(&env, path, &st), MDLDM_OK);
    assert_int_equal(st.count, 5);
    assert_string_equal(json_string_value(json_object_get(st.metadata, "format")), "pt");
    assert_null(mdldm__safetensors_find(&st, "none"));
    const mdldm__st_tensor *t = mdldm__safetensors_find(&st, "z.f32");
    float out[6];
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->dims[0], 2);
    assert_int_equal(t->dims[1], 3);
    assert_int_equal(mdldm__st_read_f32(&env, t, out), MDLDM_OK);
    assert_memory_equal(out, f32, sizeof f32);
    assert_int_equal(mdldm__st_check_finite(&env, "v.safetensors", t), MDLDM_ERROR_NUMERIC);
    assert_string_equal(env.error, "v.safetensors: tensor \"z.f32\" holds Inf at index 4; all values must be finite");
    t = mdldm__safetensors_find(&st, "f16");
    assert_int_equal(mdldm__st_read_f32(&env, t, out), MDLDM_OK);
    assert_true(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0x1p-24f && out[3] == 65504.0f);
    assert_true(isnan(out[4]) && out[5] == 0.0f && signbit(out[5]));
    assert_int_equal(mdldm__st_check_finite(&env, "f", t), MDLDM_ERROR_NUMERIC);
    assert_non_null(strstr(env.error, "\"f16\" holds NaN at index 4"));
    t = mdldm__safetensors_find(&st, "bf16");
    assert_int_equal(mdldm__st_read_f32(&env, t, out), MDLDM_OK);
    assert_true(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0x1p-133f && out[3] == 0x1.fep127f);
    assert_int_equal(mdldm__st_check_finite(&env, "f", t), MDLDM_ERROR_NUMERIC);
    t = mdldm__safetensors_find(&st, "i32");
    assert_int_equal(mdldm__st_read_f32(&env, t, out), MDLDM_OK);
    assert_true(out[1] == -2.0f && out[5] == 16777216.0f);
    assert_int_equal(mdldm__st_check_finite(&env, "f", t), MDLDM_OK);
    t = mdldm__safetensors_find(&st, "scalar");
    assert_int_equal(mdldm__st_elements(t), 1);
    assert_int_equal(mdldm__st_read_f32(&env, t, out), MDLDM_OK);
    assert_true(out[0] == -1.5f);
    mdldm__safetensors_close(&st);
    mdldm__safetensors_close(&st); /* closing twice is fine */
}

static void unaligned_and_foreign_types(void **state)
{
    (void)state;
    const char *path = make_file("u.safetensors",
                                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                 "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 5);
    mdldm__safetensors st;
    assert_int_equal(mdldm__safetensors_open(&env, path, &st), MDLDM_OK);
    const mdldm__st_tensor *b = mdldm__safetensors_find(&st, "b"), *a = mdldm__safetensors_find(&st, "a");
    assert_int_equal((uintptr_t)b->data % 4, 0);
    assert_memory_equal(b->data, "\1\2\3\4", 4);
    float out;
    assert_int_equal(a->dtype, -1);
    assert_string_equal(a->dtype_name, "U8");
    assert_int_equal(mdldm__st_read_f32(&env, a, &out), MDLDM_ERROR_UNSUPPORTED);
    assert_non_null(strstr(env.error, "\"a\" is of type U8"));
    mdldm__safetensors_close(&st);
}

static mdldm_status write_one(const char *path, const char *name, float value)
{
    mdldm__st_writer *w;
    mdldm_status status = mdldm__st_writer_open(&env, path, &w);
    if (status == MDLDM_OK) {
        status = mdldm__st_writer_declare(w, name, MDLDM_F32, 0, NULL);
        if (status == MDLDM_OK)
            status = mdldm__st_writer_data(w, &value, sizeof value);
        if (status == MDLDM_OK)
            return mdldm__st_writer_commit(w);
        mdldm__st_writer_abort(w);
    }
    return status;
}

static void faults_leave_the_earlier_file(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "f.safetensors");
    mdldm__io_fail_after(0);
    assert_int_equal(write_one(path, "a", 1.0f), MDLDM_OK);
    int operations = mdldm__io_operations();
    assert_true(operations >= 8);
    for (int n = 1; n <= operations; n++) {
        mdldm__io_fail_after(n);
        assert_int_equal(write_one(path, "a", 2.0f), MDLDM_ERROR_IO);
        assert_non_null(strstr(env.error, path));
        mdldm__safetensors st;
        assert_int_equal(mdldm__safetensors_open(&env, path, &st), MDLDM_OK);
        assert_true(*(const float *)st.tensors[0].data == (n < operations ? 1.0f : 2.0f));
        mdldm__safetensors_close(&st);
        assert_int_equal(temp_count(folder), 1);
    }
}

static void put_index(const char *text)
{
    temp_write(temp_path(folder, "m.safetensors.index.json"), text, strlen(text));
}

static void set_refused(mdldm_status status, const char *index, const char *sentence)
{
    mdldm__safetensors *files;
    int32_t count;
    put_index(index);
    assert_int_equal(mdldm__safetensors_open_set(&env, folder, "m", &files, &count), status);
    assert_null(files);
    if (strstr(env.error, sentence) == NULL)
        fail_msg("\"%s\" should say \"%s\"", env.error, sentence);
}

static void shards(void **state)
{
    (void)state;
    mdldm__safetensors *files;
    int32_t count;
    assert_int_equal(mdldm__safetensors_open_set(&env, folder, "m", &files, &count), MDLDM_ERROR_NOT_FOUND);
    assert_non_null(strstr(env.error, "m.safetensors"));
    assert_int_equal(write_one(temp_path(folder, "m.safetensors"), "single", 3.0f), MDLDM_OK);
    assert_int_equal(mdldm__safetensors_open_set(&env, folder, "m", &files, &count), MDLDM_OK);
    assert_int_equal(count, 1);
    assert_non_null(mdldm__safetensors_find(&files[0], "single"));
    mdldm__safetensors_close_set(&env, files, count);

    assert_int_equal(write_one(temp_path(folder, "m-1.safetensors"), "a", 1.0f), MDLDM_OK);
    assert_int_equal(write_one(temp_path(folder, "m-2.safetensors"), "b", 2.0f), MDLDM_OK);
    put_index("{\"metadata\": {\"total_size\": 8}, \"weight_map\": "
              "{\"a\": \"m-1.safetensors\", \"b\": \"m-2.safetensors\"}}");
    assert_int_equal(mdldm__safetensors_open_set(&env, folder, "m", &files, &count), MDLDM_OK);
    assert_int_equal(count, 2);
    assert_non_null(mdldm__safetensors_find(&files[0], "a"));
    assert_non_null(mdldm__safetensors_find(&files[1], "b"));
    mdldm__safetensors_close_set(&env, files, count);

    set_refused(MDLDM_ERROR_FORMAT, "{", "is no valid JSON");
    set_refused(MDLDM_ERROR_FORMAT, "{}", "lacks \"weight_map\"");
    set_refused(MDLDM_ERROR_FORMAT, "{\"weight_map\": {\"a\": 1}}", "must be a plain file name");
    set_refused(MDLDM_ERROR_FORMAT, "{\"weight_map\": {\"a\": \"../m-1.safetensors\"}}", "must be a plain file name");
    set_refused(MDLDM_ERROR_FORMAT, "{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "must be a plain file name");
    set_refused(MDLDM_ERROR_FORMAT, "{\"weight_map\": {\"b\": \"m-1.safetensors\"}}",
                "tensor \"b\" is not in m-1.safetensors");
    set_refused(MDLDM_ERROR_FORMAT, "{\"weight_map\": {\"a\": \"m-1.safetensors\", \"b\": \"m-1.safetensors\"}}",
                "tensor \"b\" is not in m-1.safetensors");
    set_refused(MDLDM_ERROR_NOT_FOUND, "{\"weight_map\": {\"a\": \"m-1.safetensors\", \"b\": \"m-3.safetensors\"}}",
                "m-3.safetensors");
    /* A shard with a tensor that the index puts elsewhere. */
    const char *path = temp_path(folder, "m-2.safetensors");
    mdldm__st_writer *w;
    const float zero = 0.0f;
    assert_int_equal(mdldm__st_writer_open(&env, path, &w), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "a", MDLDM_F32, 0, NULL), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_declare(w, "b", MDLDM_F32, 0, NULL), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_data(w, &zero, sizeof zero), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_data(w, &zero, sizeof zero), MDLDM_OK);
    assert_int_equal(mdldm__st_writer_commit(w), MDLDM_OK);
    set_refused(MDLDM_ERROR_FORMAT, "{\"weight_map\": {\"a\": \"m-1.safetensors\", \"b\": \"m-2.safetensors\"}}",
                "m-2.safetensors holds tensor \"a\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hostile_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_tilings, setup, teardown),
        cmocka_unit_test_setup_teardown(values_of_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(unaligned_and_foreign_types, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_leave_the_earlier_file, setup, teardown),
        cmocka_unit_test_setup_teardown(shards, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
