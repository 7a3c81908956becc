# SPDX-License-Identifier: MIT
"""Writes src/data/turbo_table.h (matplotlib's table) and src/data/parula_like_table.h (our own).

parula-like serves where MATLAB's parula, whose table is not free, is the habit: dark blue over teal to
yellow. Nothing of parula's table went into it. Lightness L* of CIELAB (D65) rises in a straight line from
LOW to HIGH; hue turns from ANCHORS' first colour to the last and chroma follows, each by monotone cubic
interpolation (PCHIP) over ANCHORS = (place, hue in degrees, chroma), which were chosen by eye, inside sRGB."""
import pathlib

import numpy as np
from matplotlib import colormaps
from scipy.interpolate import PchipInterpolator

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "src" / "data"
LOW, HIGH = 26.0, 93.0
ANCHORS = np.array([(0.0, 300.0, 64.0), (0.2, 285.0, 55.0), (0.4, 250.0, 33.0), (0.55, 195.0, 32.5),
                    (0.7, 150.0, 50.0), (0.85, 110.0, 68.0), (1.0, 100.0, 84.0)])
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
TO_SRGB = np.array([[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560],
                    [0.0556434, -0.2040259, 1.0572252]])


def linear_rgb(lightness, hue, chroma):
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    fy = (lightness + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f ** 3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE
    return TO_SRGB @ xyz


def parula_like():
    table = []
    for place in np.linspace(0, 1, 256):
        lightness = LOW + (HIGH - LOW) * place
        hue, chroma = (float(PchipInterpolator(ANCHORS[:, 0], ANCHORS[:, k])(place)) for k in (1, 2))
        rgb = linear_rgb(lightness, hue, chroma)
        assert 0 <= rgb.min() and rgb.max() <= 1, place
        gamma = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
        table.append(np.rint(255 * gamma).astype(int))
    return table


def write(name, licence, comment, table):
    rows = [", ".join("{%d, %d, %d}" % tuple(c) for c in table[i:i + 6]) for i in range(0, 256, 6)]
    guard = f"MDLDM_DATA_{name.upper()}_TABLE_H"
    text = f"/* SPDX-License-Identifier: {licence}\n"
    text += "".join(f" * {line}\n" for line in comment)[:-1] + " */\n"
    text += f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n"
    text += f"static const uint8_t mdldm__{name}[256][3] = {{\n"
    text += "".join(f"    {row},\n" for row in rows) + f"}};\n\n#endif /* {guard} */\n"
    (FOLDER / f"{name}_table.h").write_text(text)


if __name__ == "__main__":
    turbo = np.rint(255 * colormaps["turbo"](np.arange(256))[:, :3]).astype(int)
    write("turbo", "Apache-2.0", ["Copyright 2019 Google LLC. The turbo colour map by Anton Mikhailov, under the",
                                  "Apache License 2.0 (http://www.apache.org/licenses/LICENSE-2.0); changed: its",
                                  "256 colours times 255 and rounded, as matplotlib gives them."], turbo)
    write("parula_like", "MIT", ["Dark blue over teal to yellow, lightness rising in a straight line: our own table, made",
                                 "by tests/golden/make_colormap_tables.py."], parula_like())
