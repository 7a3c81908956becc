function [values, residuals, mean_residual, max_residual] = colormap_invert(name, rgb, low, high)
% mdldm.colormap_invert  Colours to values: values = mdldm.colormap_invert('jet', rgb, -60, 0)
% From the nearest point of the map. residuals: each colour's distance from it in RGB space, in steps of 8 bits;
% near 0 for a picture of this map, a few after JPEG, tens for another map or for text in the picture.
% SPDX-License-Identifier: MIT
  [values, residuals, mean_residual, max_residual] = ...
      mdldm.internal.call([], 'colormap_invert', mdldm.internal.text(name), rgb, low, high);
end
