function rgb = colormap_apply(name, values, low, high)
% mdldm.colormap_apply  Values to colours: rgb = mdldm.colormap_apply('jet', db, -60, 0)
% values: [R C] or [R C 1 N], clamped to [low, high]; rgb: uint8 [R C 3 N], the colours imagesc chooses from a
% map of 256.
% SPDX-License-Identifier: MIT
  rgb = mdldm.internal.call([], 'colormap_apply', mdldm.internal.text(name), values, low, high);
end
