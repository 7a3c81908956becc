function out = matrix_resize(m, rows, columns)
% mdldm.matrix_resize  A matrix of another size: out = mdldm.matrix_resize(m, rows, columns), single
% Bilinear where it grows, the triangle filter as wide as the reduction where it shrinks.
% SPDX-License-Identifier: MIT
  out = mdldm.internal.call([], 'matrix_resize', m, rows, columns);
end
