function names = colormaps()
% mdldm.colormaps  Names of the colour maps: 'jet', 'viridis', 'parula-like', 'turbo', 'grey'.
% SPDX-License-Identifier: MIT
  names = mdldm.internal.call([], 'colormaps');
end
