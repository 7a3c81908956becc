function value = text(value)
% TEXT  MATLAB's strings as char and cellstr, which MEX files read; all else as it is.
% SPDX-License-Identifier: MIT
  if isa(value, 'string')
    if isscalar(value)
      value = char(value);
    else
      value = cellstr(value);
    end
  end
end
