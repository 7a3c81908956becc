/* SPDX-License-Identifier: MIT
 * Files and folders: contents, messages, and that a failed write leaves what was there before. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/file_util.h"
#include "io/io_fault.h"
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

static void assert_content(const char *path, const char *content)
{
    char *data = temp_read(path, NULL);
    assert_non_null(data);
    assert_string_equal(data, content);
    free(data);
}

static void assert_says(const char *a, const char *b)
{
    if (strstr(env.error, a) == NULL || strstr(env.error, b) == NULL)
        fail_msg("\"%s\" should name \"%s\" and say \"%s\"", env.error, a, b);
}

static void paths(void **state)
{
    (void)state;
    char *p = mdldm__path_join(&env, "a", "b"), *q = mdldm__path_join(&env, "a/", "b");
    assert_string_equal(p, "a/b");
    assert_string_equal(q, "a/b");
    mdldm__free(&env, p);
    mdldm__free(&env, q);
    const char *deep = temp_path(folder, "x//y/z/");
    assert_int_equal(mdldm__mkdir_p(&env, deep), MDLDM_OK);
    assert_int_equal(mdldm__mkdir_p(&env, deep), MDLDM_OK);
    assert_true(mdldm__path_is_dir(temp_path(folder, "x/y/z")));
    const char *file = temp_path(folder, "x/file");
    temp_write(file, "1", 1);
    assert_true(mdldm__path_is_file(file));
    assert_false(mdldm__path_is_dir(file));
    const char *below = temp_path(folder, "x/file/sub");
    assert_int_equal(mdldm__mkdir_p(&env, below), MDLDM_ERROR_IO);
    assert_says("x/file", "cannot make the folder");
    assert_int_equal(mdldm__mkdir_p(&env, ""), MDLDM_ERROR_INVALID_ARGUMENT);
}

static void remove_tree_keeps_what_links_point_to(void **state)
{
    (void)state;
    const char *kept = temp_path(folder, "kept"), *tree = temp_path(folder, "tree");
    assert_int_equal(mdldm__mkdir_p(&env, kept), MDLDM_OK);
    temp_write(temp_path(folder, "kept/file"), "1", 1);
    assert_int_equal(mdldm__mkdir_p(&env, temp_path(folder, "tree/a/b")), MDLDM_OK);
    temp_write(temp_path(folder, "tree/a/b/file"), "1", 1);
    assert_int_equal(symlink(kept, temp_path(folder, "tree/a/link")), 0);
    assert_int_equal(mdldm__remove_tree(&env, tree), MDLDM_OK);
    assert_false(mdldm__path_is_dir(tree));
    assert_true(mdldm__path_is_file(temp_path(folder, "kept/file")));
    assert_int_equal(mdldm__remove_tree(&env, tree), MDLDM_OK); /* a missing one is fine */
}

static void read_and_map(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "f"), *empty = temp_path(folder, "empty");
    char *data;
    size_t size;
    mdldm__map map;
    temp_write(path, "hello", 5);
    temp_write(empty, "", 0);
    assert_int_equal(mdldm__file_read(&env, path, 5, &data, &size), MDLDM_OK);
    assert_int_equal(size, 5);
    assert_string_equal(data, "hello");
    mdldm__free(&env, data);
    assert_int_equal(mdldm__file_read(&env, path, 4, &data, &size), MDLDM_ERROR_FORMAT);
    assert_says(path, "5 bytes; at most 4");
    assert_int_equal(mdldm__map_open(&env, path, &map), MDLDM_OK);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    mdldm__map_close(&map);
    mdldm__map_close(&map);
    assert_int_equal(mdldm__map_open(&env, empty, &map), MDLDM_OK);
    assert_int_equal(map.size, 0);
    mdldm__map_close(&map);
    assert_int_equal(mdldm__map_open(&env, temp_path(folder, "none"), &map), MDLDM_ERROR_NOT_FOUND);
    assert_says("none", "No such file");
    assert_int_equal(mdldm__file_read(&env, folder, 100, &data, &size), MDLDM_ERROR_IO);
    assert_says(folder, "is a folder");
    const char *fifo = temp_path(folder, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(mdldm__map_open(&env, fifo, &map), MDLDM_ERROR_IO);
    assert_says(fifo, "device or pipe");
}

/* MiB of mapped files in this process's memory, as the operating system counts; -1: it does not say. */
static long mapped_memory(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long file = -1024, memory = 0; /* the test's folder may lie on a memory file system */
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        sscanf(line, "RssFile: %ld", &file);
        sscanf(line, "RssShmem: %ld", &memory);
    }
    if (f != NULL)
        fclose(f);
    return (file + memory) / 1024;
}

static void forgotten_pages_come_back(void **state)
{
    (void)state;
    enum { BYTES = 32 << 20 };
    const char *path = temp_path(folder, "large");
    mdldm__map map;
    unsigned char *content = malloc(BYTES);
    assert_non_null(content);
    for (size_t i = 0; i < BYTES; i++)
        content[i] = (unsigned char)(i * 2654435761u >> 24);
    temp_write(path, content, BYTES);
    assert_int_equal(mdldm__map_open(&env, path, &map), MDLDM_OK);
    assert_memory_equal(map.data, content, BYTES);
    const long before = mapped_memory();
    mdldm__map_forget(&map, map.data + 5000, BYTES - 5000);
    if (before >= 0) /* 32 MiB were read; what else is mapped may move a little */
        assert_true(mapped_memory() <= before - 24);
    mdldm__map_forget(&map, content, BYTES); /* not of the mapping: untouched */
    assert_memory_equal(map.data, content, BYTES);
    mdldm__map_close(&map);
    free(content);
}

static void nothing_shows_before_commit(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "f");
    mdldm__file_out out;
    assert_int_equal(mdldm__file_out_open(&env, path, &out), MDLDM_OK);
    assert_int_equal(mdldm__file_out_write(&out, "ab", 2), MDLDM_OK);
    assert_false(mdldm__path_is_file(path));
    assert_int_equal(mdldm__file_out_write(&out, "c", 1), MDLDM_OK);
    assert_int_equal(mdldm__file_out_commit(&out), MDLDM_OK);
    mdldm__file_out_abort(&out); /* fine after commit */
    assert_content(path, "abc");
    assert_int_equal(mdldm__file_out_open(&env, path, &out), MDLDM_OK);
    assert_int_equal(mdldm__file_out_write(&out, "zz", 2), MDLDM_OK);
    mdldm__file_out_abort(&out);
    assert_content(path, "abc");
    assert_int_equal(temp_count(folder), 1);
    assert_int_equal(mdldm__file_out_open(&env, folder, &out), MDLDM_ERROR_IO);
    assert_says(folder, "it is a folder");
    assert_int_equal(mdldm__file_out_open(&env, temp_path(folder, "no/f"), &out), MDLDM_ERROR_IO);
    assert_says("no/f", "No such file");
}

static void each_fault_leaves_the_earlier_file(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "f");
    assert_int_equal(mdldm__file_write(&env, path, "earlier", 7), MDLDM_OK);
    mdldm__io_fail_after(0);
    assert_int_equal(mdldm__file_write(&env, path, "earlier", 7), MDLDM_OK);
    int operations = mdldm__io_operations();
    assert_true(operations >= 6); /* open, write, flush, fsync, rename, fsync of the folder */
    for (int n = 1; n <= operations; n++) {
        mdldm__io_fail_after(n);
        assert_int_equal(mdldm__file_write(&env, path, "newer", 5), MDLDM_ERROR_IO);
        assert_says(path, "No space left on device");
        /* When only the folder's fsync fails the new file is in place, whole. */
        assert_content(path, n < operations ? "earlier" : "newer");
        assert_int_equal(temp_count(folder), 1);
    }
}

static void full_disk(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "f");
    assert_int_equal(mdldm__file_write(&env, path, "earlier", 7), MDLDM_OK);
    /* A limit on the file size is a disk that fills up in the middle of a write. */
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    static char big[300000];
    mdldm_status status = mdldm__file_write(&env, path, big, sizeof big);
    mdldm__file_out out;
    mdldm_status piecewise = mdldm__file_out_open(&env, path, &out);
    for (int i = 0; i < 3000 && piecewise == MDLDM_OK; i++)
        piecewise = mdldm__file_out_write(&out, big, 100);
    mdldm__file_out_abort(&out);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, MDLDM_ERROR_IO);
    assert_int_equal(piecewise, MDLDM_ERROR_IO);
    assert_says(path, "File too large");
    assert_content(path, "earlier");
    assert_int_equal(temp_count(folder), 1);
}

static mdldm_status write_folder(const char *path, const char *text)
{
    mdldm__dir_out out;
    mdldm_status status = mdldm__dir_out_open(&env, path, &out);
    if (status != MDLDM_OK)
        return status;
    char *sub = mdldm__path_join(&env, out.temporary, "sub");
    char *file = mdldm__path_join(&env, sub, "file");
    status = mdldm__mkdir_p(&env, sub);
    if (status == MDLDM_OK)
        status = mdldm__file_write(&env, file, text, strlen(text));
    mdldm__free(&env, sub);
    mdldm__free(&env, file);
    if (status == MDLDM_OK)
        return mdldm__dir_out_commit(&out);
    mdldm__dir_out_abort(&out);
    mdldm__dir_out_abort(&out);
    return status;
}

static void folders_replace_and_keep(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "model/"), *file = temp_path(folder, "model/sub/file"),
               *mine = temp_path(folder, "model/notes.txt");
    assert_int_equal(write_folder(path, "one"), MDLDM_OK);
    assert_content(file, "one");
    temp_write(mine, "mine", 4);
    temp_write(temp_path(folder, "model/sub/stale"), "1", 1);
    assert_int_equal(write_folder(path, "two"), MDLDM_OK);
    assert_content(file, "two");
    assert_content(mine, "mine"); /* what the new folder does not replace stays */
    assert_int_equal(temp_count(temp_path(folder, "model/sub")), 1);
    assert_int_equal(temp_count(folder), 1);
    /* Through a link the folder is replaced, not the link. */
    const char *link = temp_path(folder, "link");
    assert_int_equal(symlink("model", link), 0);
    assert_int_equal(write_folder(link, "three"), MDLDM_OK);
    struct stat st;
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    assert_content(file, "three");
    assert_content(mine, "mine");
    assert_int_equal(write_folder(mine, "x"), MDLDM_ERROR_IO);
    assert_says("notes.txt", "a file of that name");
    assert_int_equal(write_folder(temp_path(folder, "model/.."), "x"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(write_folder("", "x"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(write_folder("/", "x"), MDLDM_ERROR_INVALID_ARGUMENT);
}

static void each_fault_leaves_the_earlier_folder(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "model"), *file = temp_path(folder, "model/sub/file");
    assert_int_equal(write_folder(path, "earlier"), MDLDM_OK);
    mdldm__io_fail_after(0);
    assert_int_equal(write_folder(path, "earlier"), MDLDM_OK);
    int operations = mdldm__io_operations();
    assert_true(operations >= 11);
    for (int n = 1; n <= operations; n++) {
        mdldm__io_fail_after(n);
        assert_int_equal(write_folder(path, "newer"), MDLDM_ERROR_IO);
        assert_says("model", "No space left on device");
        if (n < operations)
            assert_content(file, "earlier");
        else
            assert_content(file, "newer");
        assert_int_equal(temp_count(folder), n < operations ? 1 : 2);
    }
}

static void user_files_survive_a_failed_move(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "model");
    assert_int_equal(write_folder(path, "one"), MDLDM_OK);
    temp_write(temp_path(folder, "model/mine"), "mine", 4);
    mdldm__io_fail_after(0);
    assert_int_equal(write_folder(path, "two"), MDLDM_OK);
    int operations = mdldm__io_operations();
    mdldm__io_fail_after(operations - 1); /* the move of "mine": the last is the fsync of the folder */
    assert_int_equal(write_folder(path, "three"), MDLDM_ERROR_IO);
    assert_says("model.tmp-", "what it held before stays in");
    assert_content(temp_path(folder, "model/sub/file"), "three");
    char *aside = strstr(env.error, "stays in ") + strlen("stays in ");
    *strstr(aside, ": ") = '\0';
    char *mine = mdldm__path_join(&env, aside, "mine");
    assert_content(mine, "mine");
    mdldm__free(&env, mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths, setup, teardown),
        cmocka_unit_test_setup_teardown(remove_tree_keeps_what_links_point_to, setup, teardown),
        cmocka_unit_test_setup_teardown(read_and_map, setup, teardown),
        cmocka_unit_test_setup_teardown(forgotten_pages_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_shows_before_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(each_fault_leaves_the_earlier_file, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_replace_and_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(each_fault_leaves_the_earlier_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(user_files_survive_a_failed_move, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
