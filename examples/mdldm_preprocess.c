/* SPDX-License-Identifier: MIT
 * mdldm-preprocess: images of any size and kind to square RGB PNGs, the directory structure kept. */
#include "common/cli.h"
#include "common/preprocess.h"

static const cli_flag flags[] = {
    { "raw_data_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "folder or .zip of PNG and JPEG images; sub-folders are persons; needed" },
    { "processed_data_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "the RGB PNGs go here; needed" },
};

static const cli_program program = {
    .name = "mdldm-preprocess",
    .summary = "Makes RGB PNGs of one size from a folder (or .zip) of spectrograms and keeps its directory "
               "structure. An unreadable image is named and skipped, or stops the run under --strict.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .needed = " raw_data_dir processed_data_dir ",
    .scopes = MDLDM_SCOPE_DATASET,
    .hide = " random_flip seed center_crop image_mode colormap db_floor db_ceiling ", /* images here are cropped at the centre */
};

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    cli_catch_interrupt(&c, 0);
    code = preprocess_run(&c, cli_text(&c, "raw_data_dir"), cli_text(&c, "processed_data_dir"));
    cli_end(&c);
    return code;
}
